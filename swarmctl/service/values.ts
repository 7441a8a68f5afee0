import { InvalidArgumentError } from 'commander';

export function parsePreference(text: string): { Spread: { SpreadDescriptor: string } } {
  const match = /^spread=(.+)$/.exec(text);
  if (!match) throw new InvalidArgumentError(`"${text}": use spread=node.labels.NAME.`);
  return { Spread: { SpreadDescriptor: match[1] as string } };
}

/** name=soft[:hard] */
export function parseUlimit(text: string): { Name: string; Soft: number; Hard: number } {
  const match = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (!match) throw new InvalidArgumentError(`"${text}": use NAME=SOFT[:HARD].`);
  const soft = Number(match[2]);
  return {
    Name: match[1] as string,
    Soft: soft,
    Hard: match[3] === undefined ? soft : Number(match[3]),
  };
}
