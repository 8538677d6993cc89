/** A page of React for tests, in either version, and what React has to say to it. */

import * as React from 'react';
import { createElement, StrictMode, type ReactNode } from 'react';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, vi } from 'vitest';

type Act = (work: () => void | Promise<void>) => Promise<void>;

/** React 18 has it elsewhere. */
async function findAct(): Promise<Act> {
  const elsewhere = 'react-dom/test-utils';
  const { act } = 'act' in React ? React : ((await import(elsewhere)) as { readonly act: unknown });
  return act as Act;
}
const act = await findAct();
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

/** What React said. Each test ends with nothing. */
let complaints: unknown[][];
const pages: Page[] = [];

beforeEach(() => {
  complaints = [];
  for (const level of ['error', 'warn'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => void complaints.push(words));
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.leave();
  vi.restoreAllMocks();
  document.body.replaceChildren();
  expect(complaints).toEqual([]);
});

export interface Page {
  text(): string;
  /** Lets happen what `work` starts, and all that follows. */
  act(work?: () => void | Promise<void>): Promise<void>;
  show(element: ReactNode): Promise<void>;
  leave(): Promise<void>;
}

/** Under StrictMode, which renders twice, and mounts twice. `html`: what a server has rendered. */
export async function open(element: ReactNode, html?: string): Promise<Page> {
  const container = document.createElement('main');
  document.body.append(container);
  const strict = (content: ReactNode): ReactNode => createElement(StrictMode, null, content);
  let root: Root;
  if (html === undefined) {
    root = createRoot(container);
    await act(() => root.render(strict(element)));
  } else {
    container.innerHTML = html;
    // What was recovered from is a complaint too.
    const onRecoverableError = (error: unknown): void => void complaints.push([error]);
    await act(() => {
      root = hydrateRoot(container, strict(element), { onRecoverableError });
    });
  }
  const page: Page = {
    text: () => container.textContent,
    act: (work = () => undefined) => act(async () => work()),
    show: (next) => act(() => root.render(strict(next))),
    leave: () => act(() => root.unmount()),
  };
  pages.push(page);
  return page;
}
