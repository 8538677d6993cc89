/** A link as a QR code. Its elements are made one by one: a page that lets no script parse markup can draw it as well. */

import { encode } from 'uqr';

const SVG = 'http://www.w3.org/2000/svg';

export function pictureOf(link: string): SVGElement {
  const { data, size } = encode(link, { border: 2, ecc: 'L' });
  const squares = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')));
  const picture = document.createElementNS(SVG, 'svg');
  picture.setAttribute('viewBox', `0 0 ${size} ${size}`);
  picture.setAttribute('shape-rendering', 'crispEdges');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', squares.join(''));
  picture.append(path);
  return picture;
}
