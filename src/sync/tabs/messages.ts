/** What tabs say to each other. Another version of the app may run in another tab: a message may be none of these. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { EventTemplate, NostrEvent } from '../../protocol/event.ts';
import type { SignedAuth } from '../../relay/auth.ts';
import type { RelayState } from '../../relay/connection.ts';
import type { Answers } from '../../relay/pool.ts';
import type { Collected } from '../relays/collect.ts';
import type { Unconfirmed } from './relay-list.ts';

/** To the leader: what a follower needs of it. Sent when that changes, and again to a tab that begins to lead. */
export interface Here {
  readonly type: 'here';
  readonly from: string;
  readonly watched: readonly Address[];
  readonly hasSigner: boolean;
  readonly relays: Unconfirmed;
  /** How often the app has changed the list of relays there. */
  readonly changes: number;
}

export type TabMessage =
  /** To all: these categories changed in the store. */
  | { readonly type: 'changed'; readonly dTags: readonly Address[] }
  | Here
  /** From who begins to lead: tell me who you are, and ask me what you had asked. */
  | { readonly type: 'lead' }
  /** To the leader, which says `relays` at once if it lives. */
  | { readonly type: 'ping' }
  /** From the leader: the relays and their state. `taken`: by follower, which of its changes of the list are in that. */
  | {
      readonly type: 'relays';
      readonly relays: readonly RelayState[];
      readonly taken?: Readonly<Record<string, number>>;
    }
  /** From the leader: a relay's answer to a write, for the tab that made it. */
  | {
      readonly type: 'answer';
      readonly dTag: Address;
      readonly relay: RelayUrl;
      readonly event: NostrEvent;
      readonly answer: Answer;
    }
  /** To the leader: connections may have died. */
  | { readonly type: 'wake' }
  /** To the leader: see `Network.hangUp`. */
  | { readonly type: 'hangUp'; readonly relay: RelayUrl }
  | {
      readonly type: 'follow';
      readonly dTag: Address;
      readonly tombstone: EventId;
      readonly deletion: NostrEvent;
    }
  | {
      readonly type: 'ask';
      readonly from: string;
      readonly id: number;
      readonly dTags: readonly Address[];
      readonly waitFor: 'known' | 'all';
    }
  | { readonly type: 'asked'; readonly to: string; readonly id: number; readonly answers: Answers }
  | {
      readonly type: 'collect';
      readonly from: string;
      readonly id: number;
      readonly relay: RelayUrl;
      readonly dTags: readonly Address[];
    }
  | { readonly type: 'collected'; readonly to: string; readonly id: number; readonly collected: Collected }
  /** A leader without a signer to one that has it, and back. */
  | {
      readonly type: 'sign';
      readonly to: string;
      readonly from: string;
      readonly id: number;
      readonly template: EventTemplate;
    }
  | {
      readonly type: 'signed';
      readonly to: string;
      readonly id: number;
      readonly event: SignedAuth;
    };

/** What the leader alone says: the tab that says it lives. */
export const OF_LEADER: ReadonlySet<string> = new Set<TabMessage['type']>([
  'lead',
  'relays',
  'answer',
  'asked',
  'collected',
]);
