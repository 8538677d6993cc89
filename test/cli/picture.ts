/** What a camera reads from the QR code on a terminal: half blocks become pixels. */

import decodeQR from 'qr/decode.js';

/** How a row of the picture begins and ends: black on white, whatever the colours of the terminal. */
const [BEGIN, END] = ['\x1b[30;107m', '\x1b[0m'];
const PIXELS_A_MODULE = 4;

/** By character: whether the upper and the lower half are dark. */
const HALVES: ReadonlyMap<string, readonly [boolean, boolean]> = new Map([
  [' ', [false, false]],
  ['▀', [true, false]],
  ['▄', [false, true]],
  ['█', [true, true]],
]);

/** The rows of the picture on the screen, as text. */
export function pictureRows(screen: string): string[] {
  return screen
    .split('\n')
    .filter((line) => line.includes(BEGIN))
    .map((line) => line.split(BEGIN)[1]!.split(END)[0]!);
}

/** Throws if it cannot be read, or has another character. */
export function scanRows(rows: readonly string[]): string {
  const modules = rows.flatMap((row) => {
    const halves = [...row].map((character) => {
      const half = HALVES.get(character);
      if (half === undefined) throw new Error(`No half block: ${JSON.stringify(character)}`);
      return half;
    });
    return [halves.map(([upper]) => upper), halves.map(([, lower]) => lower)];
  });
  const [width, height] = [modules[0]!.length, modules.length].map((size) => size * PIXELS_A_MODULE);
  const data = new Uint8ClampedArray(width! * height! * 4);
  for (let pixel = 0; pixel < width! * height!; pixel++) {
    const [x, y] = [pixel % width!, Math.floor(pixel / width!)].map((at) => Math.floor(at / PIXELS_A_MODULE));
    const isDark = modules[y!]![x!] === true;
    data.set(isDark ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * pixel);
  }
  return decodeQR({ width: width!, height: height!, data });
}
