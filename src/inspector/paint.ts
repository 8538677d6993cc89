/** Makes the children of a node those of a view, and changes nothing else: what has the focus keeps it. */

import type { View } from './view.ts';

const KEY = 'data-key';

export function paint(parent: Element | ShadowRoot, views: readonly View[]): void {
  const keys = new Set(views.map(keyOf));
  for (const child of [...parent.children]) if (!keys.has(child.getAttribute(KEY))) child.remove();
  views.forEach((view, i) => paintAt(parent, parent.childNodes[i] ?? null, view));
  while (parent.childNodes.length > views.length) parent.lastChild!.remove();
}

function keyOf(view: View): unknown {
  return typeof view === 'string' ? null : (view[1][KEY] ?? null);
}

function paintAt(parent: Element | ShadowRoot, there: ChildNode | null, view: View): void {
  const { ownerDocument } = parent;
  if (typeof view === 'string') {
    const text = there?.nodeType === 3 ? there : parent.insertBefore(ownerDocument.createTextNode(''), there);
    if (text.nodeValue !== view) text.nodeValue = view;
    return;
  }
  const [name, attributes, ...inside] = view;
  let element = there as Element;
  if (there?.nodeName.toLowerCase() !== name || element.getAttribute(KEY) !== keyOf(view))
    element = parent.insertBefore(ownerDocument.createElement(name), there);
  for (const is of element.getAttributeNames()) if (attributes[is] === undefined) element.removeAttribute(is);
  for (const [is, value] of Object.entries(attributes))
    if (typeof value === 'string') element.setAttribute(is, value);
    else Object.assign(element, value && { [is]: value });
  paint(element, inside);
}
