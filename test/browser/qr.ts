/** What a camera makes of a picture on the screen. */

import type { Page } from 'playwright-core';
import decodeQR from 'qr/decode.js';

/** `reader`: the page that turns the screenshot into pixels, for one whose policy forbids that. */
export async function scan(page: Page, selector: string, reader: Page = page): Promise<string> {
  const png = await page.locator(selector).screenshot();
  const { width, height, data } = await reader.evaluate(async (base64) => {
    const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    const drawing = canvas.getContext('2d')!;
    drawing.drawImage(picture, 0, 0);
    const pixels = drawing.getImageData(0, 0, picture.width, picture.height);
    const texts = Array.from({ length: pixels.height }, (_, row) =>
      String.fromCharCode(...pixels.data.subarray(4 * row * pixels.width, 4 * (row + 1) * pixels.width)),
    );
    return { width: pixels.width, height: pixels.height, data: btoa(texts.join('')) };
  }, png.toString('base64'));
  return decodeQR({ width, height, data: Buffer.from(data, 'base64') });
}
