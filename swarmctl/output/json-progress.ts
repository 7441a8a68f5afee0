import { ApiError } from '../client.ts';
import type { Context } from '../context.ts';
import { humanSize } from './human.ts';
import { jsonLines } from './json-lines.ts';

/** A line of what pull, load and import answer. */
export interface ProgressMessage {
  readonly status?: string;
  readonly id?: string;
  readonly progress?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly stream?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message?: string };
}

const BAR_WIDTH = 50;
const DEFAULT_COLUMNS = 80;
const UP = (lines: number) => (lines > 0 ? `\x1b[${lines}A` : '');
const DOWN = (lines: number) => (lines > 0 ? `\x1b[${lines}B` : '');
const CLEAR_LINE = '\r\x1b[2K';

export interface ProgressTarget {
  readonly stream: NodeJS.WritableStream & { readonly columns?: number };
  readonly isTerminal: boolean;
}

/** Standard output, or standard error where the output belongs to a container. */
export function progressTarget(context: Context, which: 'out' | 'err' = 'out'): ProgressTarget {
  const stream = context[which] as ProgressTarget['stream'] & { readonly isTTY?: boolean };
  return { stream, isTerminal: which === 'out' ? context.isTerminal : Boolean(stream.isTTY) };
}

/** Prints progress until it ends; nothing without a target. Throws ApiError with what the server says went wrong. */
export async function showProgress(
  source: AsyncIterable<Buffer>,
  target: ProgressTarget | undefined,
  onMessage: (message: ProgressMessage) => void = () => {},
): Promise<void> {
  const printer = target && new ProgressPrinter(target);
  for await (const message of jsonLines<ProgressMessage>(source)) {
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) throw new ApiError(500, failure);
    onMessage(message);
    printer?.print(message);
  }
}

/** On a terminal a line for each layer, which is rewritten; elsewhere a line for each step. */
export class ProgressPrinter {
  readonly #target: ProgressTarget;
  /** The lines at the bottom of the screen that may still change, by id. */
  readonly #lines = new Map<string, number>();

  constructor(target: ProgressTarget) {
    this.#target = target;
  }

  print(message: ProgressMessage): void {
    const { stream, isTerminal } = this.#target;
    if (message.stream !== undefined) {
      stream.write(message.stream);
      return;
    }
    const progress = progressText(message);
    const text = `${message.id ? `${message.id}: ` : ''}${message.status ?? ''}`;
    if (!isTerminal) {
      if (progress === '') stream.write(`${text}\n`);
    } else if (message.id && message.progressDetail) {
      this.#redraw(message.id, progress === '' ? text : `${text} ${progress}`);
    } else {
      this.#lines.clear();
      stream.write(`${text}\n`);
    }
  }

  #redraw(id: string, text: string): void {
    const { stream } = this.#target;
    const known = this.#lines.get(id);
    const fits = text.slice(0, (stream.columns ?? DEFAULT_COLUMNS) - 1);
    if (known === undefined) {
      this.#lines.set(id, this.#lines.size);
      stream.write(`${fits}\n`);
      return;
    }
    const above = this.#lines.size - known;
    stream.write(`${UP(above)}${CLEAR_LINE}${fits}\r${DOWN(above)}`);
  }
}

function progressText({ progress, progressDetail }: ProgressMessage): string {
  const { current = 0, total = 0 } = progressDetail ?? {};
  if (current === 0 && total === 0) return progress ?? '';
  if (total === 0 || current > total) return humanSize(current);
  const done = Math.floor((current / total) * BAR_WIDTH);
  const bar = done < BAR_WIDTH ? `${'='.repeat(done)}>` : '='.repeat(BAR_WIDTH);
  return `[${bar.padEnd(BAR_WIDTH)}] ${humanSize(current)}/${humanSize(total)}`;
}
