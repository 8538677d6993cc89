/** A text as a QR code for a terminal: two rows of modules in one of text, by half blocks. */

import { encode } from 'uqr';

/** Light modules around it. Four are the standard; two leave room for it in a small terminal, and cameras read that. */
const BORDER = 2;

/** To be printed dark on light. */
export function qrRows(text: string): string[] {
  const { data } = encode(text, { border: BORDER, ecc: 'L' });
  const isDark = (row: number, column: number): boolean => data[row]?.[column] === true;
  const pairs = Array.from({ length: Math.ceil(data.length / 2) }, (_, i) => 2 * i);
  return pairs.map((row) =>
    Array.from(data[row] ?? [], (_, column) => {
      const [top, bottom] = [isDark(row, column), isDark(row + 1, column)];
      if (top) return bottom ? '█' : '▀';
      return bottom ? '▄' : ' ';
    }).join(''),
  );
}
