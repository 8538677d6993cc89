/** Every bound of the protocol, and every bound on what a relay, a signer or a stored byte may make us do, in one table. */

/** kind of an addressable app-data event (NIP-78). */
export const KIND_APP_DATA = 30078;
/** kind of a deletion request (NIP-09). */
export const KIND_DELETION = 5;
/** kind of an AUTH answer (NIP-42). */
export const KIND_AUTH = 22242;
/** kind of a message between two devices that pair (NIP-AB): ephemeral, no relay keeps it. */
export const KIND_PAIRING = 24134;

// Sizes in bytes unless named otherwise.

/** UTF-8 length of a d-tag. strfry stores one over 255 as the empty string, so that two of them overwrite each other. */
export const MAX_D_TAG_BYTES = 180;
export const DEFAULT_MAX_PAYLOAD_BYTES = 65_536;
/** The most that `maxPayloadSize` may allow (400 KB, as in the original plugin). */
export const MAX_PAYLOAD_BYTES = 409_600;
/** The most plaintext in one event: what the Rust NIP-44 can still encrypt, and every NIP-44 v2 can read. */
export const MAX_EVENT_PLAINTEXT_BYTES = 65_408;
/** The most plaintext in one event that a strfry as it is installed takes (events of 65,536 bytes). */
export const MAX_TEXT_BYTES = 40_960;
/** The same behind a remote signer (NIP-46), which encrypts the ciphertext a second time. */
const MAX_REMOTE_TEXT_BYTES = 28_672;
/** The most bytes of JSON in a piece: what its text can hold in base64 if deflate gains nothing. */
export const MAX_PIECE_BYTES = 30_720;
/** The same behind a remote signer. */
const MAX_REMOTE_PIECE_BYTES = 21_504;
/** The same for a signer that refuses those for their size. */
const MAX_SMALL_PIECE_BYTES = 9_216;
/** The most in a text and in a piece: as a rule, behind a remote signer, and for a signer that has refused those for their size. */
export const SIZES: readonly { readonly maxTextBytes: number; readonly maxPieceBytes: number }[] = [
  { maxTextBytes: MAX_TEXT_BYTES, maxPieceBytes: MAX_PIECE_BYTES },
  { maxTextBytes: MAX_REMOTE_TEXT_BYTES, maxPieceBytes: MAX_REMOTE_PIECE_BYTES },
  { maxTextBytes: (MAX_SMALL_PIECE_BYTES / 3) * 4, maxPieceBytes: MAX_SMALL_PIECE_BYTES },
];
/** Pieces in one REQ. */
export const MAX_PIECES_PER_REQ = 16;
/** Pieces sent to one relay and not yet answered. */
export const MAX_PIECES_IN_FLIGHT = 8;
/** Pieces of one value: the largest value has some 33, and in the smallest some 110 and never more than 224. */
export const MAX_PARTS = 256;
/** Pieces of former values that are remembered until they are collected, per category. */
export const MAX_ORPHANS = 1_024;
/** Nesting of arrays and objects in a payload. */
export const MAX_PAYLOAD_DEPTH = 64;
/** Characters of an event's content that we take, a little over the longest that we write. */
export const MAX_CONTENT_CHARS = 131_072;
export const MAX_FRAME_BYTES = 262_144;
export const MAX_TAGS = 64;
export const MAX_TAG_CHARS = 4_096;
/** created_at up to the year 9999, so that it always has an ISO 8601 form. In s. */
export const MAX_STAMP = 253_402_300_799;
export const MAX_VECTOR_ENTRIES = 16;
export const MAX_DEVICE_ID_CHARS = 128;
/** Of how many device ids the hashes are kept in memory. */
export const MAX_DEVICE_HASHES = 256;
/** What a relay says for people (OK, CLOSED, NOTICE), in characters that we keep. */
export const MAX_REASON_CHARS = 200;

// Time. Stamps in s, the rest in ms.

/** A verified head further ahead than this is reported as clock skew. */
export const SKEW_REPORT_SECONDS = 120;
/** So far ahead relays take what is to come, and some more. The default of strfry. */
export const RELAYS_TAKE_SECONDS = 900;
/** A write that would have to be stamped further ahead than this is refused. */
export const MAX_AHEAD_SECONDS = 31_536_000;
export const CONNECT_TIMEOUT_MS = 10_000;
export const OK_TIMEOUT_MS = 15_000;
export const EOSE_TIMEOUT_MS = 10_000;
/** A relay that says nothing to a message of NIP-77 for so long does not have it. */
export const NEG_SILENCE_MS = 5_000;
/** How long it is remembered that a relay does not have NIP-77. */
export const NEG_MEMORY_MS = 86_400_000;
/** A live subscription without EOSE by then was never taken: some relays only say so in a NOTICE. */
export const LIVE_EOSE_TIMEOUT_MS = 30_000;
/** Between two looks whether a relay has fallen silent. */
export const PING_INTERVAL_MS = 30_000;
/** The same in a page that is hidden. Below the minute after which many proxies drop a silent connection. */
export const HIDDEN_PING_INTERVAL_MS = 55_000;
export const PONG_TIMEOUT_MS = 10_000;
/** After sleep, `online` or a visible tab a socket must prove itself within this. */
export const SUSPECT_TIMEOUT_MS = 5_000;
export const STABLE_CONNECTION_MS = 30_000;
export const BACKOFF_BASE_MS = 1_000;
export const BACKOFF_CAP_MS = 60_000;
/** Until the next attempt while the platform says that there is no network: it may be wrong. */
export const OFFLINE_RETRY_MS = 60_000;
/** Between the first two signatures of AUTH for one connection; doubled after each. */
export const AUTH_INTERVAL_MS = 5_000;
export const AUTH_INTERVAL_CAP_MS = 300_000;
export const RATE_LIMIT_PAUSE_MS = 60_000;
export const RATE_LIMIT_PAUSE_CAP_MS = 600_000;
/** A retry to a relay that answers, but not with yes. */
export const RETRY_BASE_MS = 2_000;
export const RETRY_CAP_MS = 300_000;
/** How long a question waits for slower relays after the first complete answer. */
export const SETTLE_MS = 1_500;
/** A signer may have to ask a person. */
export const SIGNER_TIMEOUT_MS = 300_000;
/** After this a call to a signer delays no other call any longer: a popup that is closed may give no answer. */
export const SIGNER_TURN_MS = 20_000;
/** For how long a signer that has read what it encrypted is trusted to encrypt for the same account. */
export const SIGNER_TRUST_MS = 300_000;
/** How much later than asked a signer may stamp an event. In s. */
export const MAX_LATE_SECONDS = 10;
/** `publish` waits this long to be delivered. */
export const PUBLISH_TIMEOUT_MS = 5_000;
/** A device without local state asks the relays this long before its first write to a category goes out. */
export const FIRST_WRITE_MS = 3_000;
/** For how long such a write is held at most: it may have to be signed again. */
export const HOLD_MS = 6_000;
/** How long a tab waits for the one that leads: a relay's own deadlines, and a little. */
export const ASK_LEADER_MS = 15_000;
/** How often a tab looks whether the one that leads has said anything. */
export const LEADER_TICK_MS = 1_500;
/** At so many looks in vain, after two unanswered questions among them, it leads itself: the other may be suspended. */
export const MAX_SILENT_TICKS = 4;
/** How long a tab that leads without a signer waits to hear of another that has one. */
export const FIND_SIGNER_MS = 1_000;
/** From a save that failed to the next attempt. */
export const STORE_RETRY_MS = 10_000;
/** How long a store may take for one call. Longer than a file store watches a lock before it takes it over. */
export const STORE_DEADLINE_MS = 20_000;
/** From an acknowledgement to the read-back that proves it. */
export const CONFIRM_DELAY_MS = 1_000;
/** From the first relay's word that it has a write to the save of what all have said: the read-backs are among that. */
export const ANSWERS_MS = 3_000;
/** How often one relay is asked what it has of one category, whatever it answers: it may take each write for one that it has beaten. */
export const ASK_PACING = { burst: 15, intervalMs: 3_000 };
/** From a value that one relay showed to the question whether the others have it. */
export const SPREAD_DELAY_MS = 30_000;
/** From a relay's refusal of a value to the question whether it has something newer. */
export const LOOK_AGAIN_MS = 900_000;
/** From a renewal that could not be made to the next attempt. */
export const RENEW_AGAIN_MS = 30_000;
/** Renewals that are due within this are asked about in one question. */
export const RENEW_SLACK_MS = 1_000;
/** How long a renewal waits for a connected relay that never answers completely. Then that is disconnected for a while. */
export const RENEW_PATIENCE_MS = 180_000;
/** How long a relay's word of the time counts. */
export const RELAY_TIME_MS = 3_600_000;
/** How long a timer for something far off runs at most, so that a clock that is set does not put it off. */
export const MAX_TIMER_MS = 3_600_000;
/** How long after its end a value is removed though every relay still shows it: clocks may be off. In s. */
export const END_MARGIN_SECONDS = 86_400;
/** How long a relay's word that it has a value is enough to leave its unchanged pieces out of the next. */
export const PROOF_MS = 300_000;
/** How long pieces of former values stay on the relays. */
export const ORPHAN_MS = 604_800_000;
/** How long, from its stamp, the pieces of a rival stay: so long another device can merge it. */
export const RIVAL_PIECES_MS = 2_419_200_000;
/** How long they stay at least, if there are more than `MAX_OLD_ORPHANS`, or if the value was removed. Above `PROOF_MS`. */
export const MIN_ORPHAN_MS = 600_000;
/** Tombstones of pieces, and the requests to delete them, end after this. In s. */
export const TOMBSTONE_SECONDS = 604_800;

/** How long a stamp lies back that is certainly in the past, and how far a clock may be ahead of all relays to be written by. In s. */
export const DAY_SECONDS = 86_400;

/** How long it is remembered which events a relay takes. */
export const RELAY_LIMITS_MS = 604_800_000;

// Pairing (NIP-AB). Sizes in characters, times in ms unless named otherwise.

/** Of an invitation, as a URI or in a link: what others show in a QR code, at most. */
export const MAX_INVITATION_CHARS = 2_048;
/** Relays in an invitation. Further ones are not used. */
export const MAX_PAIRING_RELAYS = 3;
/** Of the content of a pairing event: four times what our longest message takes. */
export const MAX_PAIRING_CONTENT_CHARS = 16_384;
/** Of the payload that carries the key, in bytes: relays made for pairing take events of some 3 KB. */
export const MAX_PAIRING_PAYLOAD_BYTES = 1_536;
/** Of a device's name, which the other device shows. */
export const MAX_DEVICE_NAME_CHARS = 64;
/** Relays cap an answer at 250 to 500 events. */
export const PAGE_EVENTS = 500;
/** Of all events of one key. Large values have up to some 35 events each: 20,000 events are hundreds of these. */
export const MAX_LISTED_PAGES = 40;
/** Secrets under a person's own key, for one app: each is of two devices that were the first one at the same time. */
export const MAX_SECRETS = 64;
/** Messages of one session that are looked at; what comes after them is a flood. */
export const MAX_PAIRING_MESSAGES = 256;
/** How long an invitation can be scanned, and how long a typed code counts. */
export const INVITATION_MS = 120_000;
export const PAIRING_CODE_MS = 300_000;
/** How long a relay has to open, and then to show the event that it was sent. */
export const ECHO_MS = 3_000;
/** Nothing is stored, so a message that got no answer is sent again after this, so many times: about six a minute, as damus allows. */
export const PAIRING_REPEAT_MS = 4_000;
export const MAX_PAIRING_REPEATS = 5;
/** How long a device that joins looks for a relay that takes its messages. */
export const REACH_RELAY_MS = 10_000;
/** How long a device that is done waits for the answers to what it said last. */
export const FAREWELL_MS = 3_000;
/** How long a typed code may stay without an answer. */
export const CODE_ANSWER_MS = 30_000;
/** Added to the stamp of an event that a relay finds too old: strfry refuses ephemeral ones after 60 s, and takes up to 900 ahead. In s. */
export const LATE_STAMP_SECONDS = 300;

/**
 * From a rival to its merge, and up to twice that by chance: by the author of what was overwritten; by a device whose write is in one of
 * the two; by any other; by any of which the former values do not reach back far enough; and until a merge that failed is tried again.
 */
export const MERGE_WAITS_MS = {
  author: 200,
  party: 8_000,
  witness: 30_000,
  inexact: 120_000,
  again: 30_000,
} as const;
export const MAX_MERGE_WAIT_MS = 300_000;
/** From a signer that is set to the first merge. */
export const SIGNER_QUIET_MS = 1_000;

// Counts.

/** Merges in a row without an edit of the app, after which `MERGE_LOOP` tells of them. */
export const MAX_MERGES_IN_A_ROW = 6;

/** Events that the head has not seen, per category: one of each other device. */
export const MAX_RIVALS = 16;
/** Of what was written in merging categories lately, in characters. */
export const MAX_WRITTEN_CHARS = 1_048_576;
/** How deep the merges of several newest common values go. */
export const MAX_BASE_DEPTH = 3;
/** Former values that are kept, per category; in bytes with their pieces, of which each counts as so many. */
export const MAX_PAST = 20;
/** The newest of them are all kept, the older ones thinned with age. */
export const PAST_UNTHINNED = 8;
/** As many at least if rivals are merged: with fewer the value that both had in common is lost too often. */
export const VERSIONS_FOR_MERGES = 16;
/** For how long an app can have former values kept: longer than any. */
export const MAX_HISTORY_DAYS = 36_500;
/** Of a line of a backup, in characters. */
export const MAX_BACKUP_LINE_CHARS = 262_144;
/** Of the pieces of a backup that wait for the value that they are part of, in characters. */
export const MAX_BACKUP_PIECES_CHARS = 4_194_304;
/** Lines of a backup that were refused and of which the report says why. */
export const MAX_REFUSED_LINES = 100;
export const MAX_PAST_BYTES = 524_288;
export const PIECE_ESTIMATE_BYTES = 20_480;
/** Own writes that were withdrawn and are remembered, per category. */
export const MAX_WITHDRAWN = 8;
/** Events that a reset has voided and that are still to come, per category. */
export const MAX_VOIDS = 16;
/** Stamps below a write that no relay has taken that are remembered, per category. */
export const MAX_ABOVE = 8;
/** Times in a row that a signer may fail to read a value until that counts as the value's own fault, and is not tried by a timer. */
export const MAX_READS = 5;
/** Times that a write is stamped and signed again because something newer came in meanwhile. */
export const MAX_LAPS = 8;

/** Lines by which two texts may differ to be merged by line: a tenth of a second to find that they differ more. */
export const MAX_TEXT_EDITS = 1_000;
/** Pieces of former values that may wait for the end of `ORPHAN_MS`, per category, and as many as are collected at once. */
export const MAX_OLD_ORPHANS = 64;
/** Pieces collected before the relays are asked again what they have: one deletion request, of 64 tags at most, names them all. */
export const MAX_COLLECTED_AT_ONCE = 30;
/** Hang-ups of a relay on the same large event, one after the other, until that is taken for its answer. */
export const MAX_HANG_UPS = 4;
/** How far a value is stamped above the write it came from, at most, because a relay keeps another of the same stamp. In s. */
export const MAX_RENEWAL_SECONDS = 3;
/** Complete answers that contradict the order of events, after which the head is renewed. */
export const MAX_CONTRADICTIONS = 2;
/** Bytes of an event that a relay may find too large. */
export const LARGE_EVENT_BYTES = 8_192;

/** Characters of values decrypted lately, so that no person is asked twice. */
export const MAX_RECENT_CHARS = 2_097_152;
/** And as many for each category: of thousands of small values, each would be decrypted again at each look at all of them. */
export const RECENT_CHARS_EACH = 1_024;
/** What an event takes besides its content. */
export const EVENT_OVERHEAD_CHARS = 512;

/** d-tags in one filter: relays cap the results of a filter without a limit at 250 to 500, @nostr-relay/core at 100. */
export const MAX_D_TAGS_PER_FILTER = 100;
/** nostream allows 10 filters a subscription. */
export const MAX_FILTERS_PER_REQ = 10;
/** Of one question to one relay, leaving room for the live ones: nostream allows 10 subscriptions. */
export const MAX_REQS_AT_ONCE = 4;
export const MAX_REQ_BYTES = 60_000;
/** Of a message of NIP-77, which goes out in twice as many characters. */
export const MAX_NEG_MESSAGE_BYTES = 30_000;
/** Reconciliations with one relay at a time. */
export const MAX_RECONCILIATIONS = 4;
/** What reconciling must save beside a REQ, in characters: a REQ needs fewer round trips. */
export const MIN_NEG_SAVING_CHARS = 1_000;
/** What the names of categories may take in a live subscription, in characters, if it can do without. */
export const MAX_NAMES_CHARS = 4_000;
/** Events of one key on one relay that are of no use to an app, and that it remembers so as not to ask for them. */
export const MAX_NEG_STRANGERS = 2_000;
/** Answers until both sets are known: a million events take five. */
export const MAX_NEG_ROUNDS = 16;
/** Bytes queued to one relay. */
export const MAX_QUEUED_BYTES = 1_048_576;
/** Events sent to one relay and not yet answered. */
export const MAX_IN_FLIGHT = 32;
/** What a relay may make us do in a minute beyond what it was asked for, in frames. If it exceeds this, we hang up. */
export const MAX_STRAIN_PER_MINUTE = 10_000;
/** What such a frame costs: 1 more for so many characters; so much for a genuine event that is news; so much for a bad signature. */
export const STRAIN_CHARS = 8_192;
export const STRAIN_OF_NEWS = 5;
export const STRAIN_OF_FORGERY = 100;
/** The wait for the next connection is then that after so many failures: half a minute on average. */
export const LONG_BACKOFF = 6;

/** The most events that add nothing which one REQ for `n` d-tags may bring before it is closed. */
export function maxUselessEvents(n: number): number {
  return 2 * n + 32;
}
