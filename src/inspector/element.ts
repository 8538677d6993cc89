/** The element itself: puts the view on the screen. No inline handler or style: a strict CSP allows it. */

import { systemClock } from '../clock.ts';
import { misuse } from '../errors.ts';
import { pageView } from './page-view.ts';
import { paint } from './paint.ts';
import { STYLE } from './style.ts';
import { watch, type Inspected, type Watching } from './watching.ts';

const NAME = 'nostr-sync-inspector';

/** `<nostr-sync-inspector>`. It listens while it is in a document. */
export interface NostrSyncInspector extends HTMLElement {
  /** The engine to look at: what `createNostrSync` returns. Throws `TypeError` for anything else. */
  sync: Inspected | null;
}

/** Once for a page; nothing is done outside of one. */
export function defineInspector(): void {
  // On a server there are no elements, and no class to extend.
  if (globalThis.customElements === undefined || customElements.get(NAME) !== undefined) return;

  class Inspector extends HTMLElement implements NostrSyncInspector {
    #sync: Inspected | null = null;
    #watching: Watching | undefined;

    constructor() {
      super();
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [sheet];
    }

    get sync(): Inspected | null {
      return this.#sync;
    }

    set sync(sync: Inspected | null) {
      if (sync !== null && typeof (sync as Partial<Inspected> | undefined)?.inspect !== 'function')
        throw new TypeError(misuse('sync', 'what createNostrSync returns, or null', sync));
      this.disconnectedCallback();
      this.#sync = sync;
      if (this.isConnected) this.connectedCallback();
    }

    connectedCallback(): void {
      const early = Object.getOwnPropertyDescriptor(this, 'sync');
      if (early !== undefined) {
        // What was set before the element was defined hides the setter.
        delete (this as Partial<NostrSyncInspector>).sync;
        this.sync = early.value as Inspected;
      } else if (this.#sync !== null) {
        let isDue = false;
        // What changes at the same time is shown at once.
        const later = (): void => {
          if (!isDue) queueMicrotask(show);
          isDue = true;
        };
        const watching = watch(this.#sync, systemClock, later);
        const show = (): void => {
          isDue = false;
          if (watching === this.#watching) paint(this.shadowRoot!, pageView(watching.model(), watching));
        };
        this.#watching = watching;
        show();
      }
    }

    disconnectedCallback(): void {
      this.#watching?.stop();
      this.#watching = undefined;
      paint(this.shadowRoot!, []);
    }
  }

  customElements.define(NAME, Inspector);
}
