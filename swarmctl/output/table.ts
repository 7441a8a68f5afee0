import Table from 'cli-table3';

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

/** With the padding, the least width of a column. */
const MIN_CELL = 7;

/** Columns as Docker prints them: no lines, three spaces between, each at least ten wide. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    chars: NO_BORDER,
    style: { 'padding-left': 0, 'padding-right': 3, head: [], border: [] },
  });
  const padded = (row: readonly string[]) => row.map((cell) => cell.padEnd(MIN_CELL));
  table.push(padded(header), ...rows.map(padded));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
