/**
 * The kill list: faults that someone could well put into the engine. Each patch is `[where, old text, new text]`; `where` is
 * a file or a folder of `src`, in which the old text must stand exactly once, whatever its white space.
 * `test`, file and name, is what must notice where the simulator cannot, or would take too long; `kept` is a history in
 * `regressions` that is tried before the simulator draws new ones.
 */

/** Order, stamps and causality. */
const STAMPS = [
  {
    name: 'the stamp is the time',
    patches: [
      ['protocol/order.ts', 'Math.max(stamp, floor + 1)', '(floor < 0 ? stamp : stamp)'],
      [
        'sync/',
        'if (event.created_at < floor || (event.created_at === floor && !replaces))',
        'if (floor > Number.MAX_SAFE_INTEGER && !replaces)',
      ],
    ],
  },
  {
    name: 'a value in pieces makes room for one that was not read',
    patches: [
      ['sync/', 'isReadable(head) && !isOverPieces(record)', 'isReadable(head) || isOverPieces(record)'],
    ],
    test: ['test/sync/reading.test.ts', 'stays though it is in pieces'],
  },
  {
    name: 'a seen head does not raise the stamp',
    patches: [
      ['sync', 'nextStamp(nowSeconds, head, own)', 'nextStamp(nowSeconds, own, Math.min(head, -1))'],
      ['sync/', 'isAbove ? -1 : (head?.created_at ?? -1)', '-1'],
    ],
  },
  {
    name: 'a withdrawn write does not raise the stamp',
    patches: [
      ['sync', 'const own = floorOf(record);', 'const own = floorOf(undefined);'],
      ['sync/', 'reset === undefined ? floorOf(record) : -1', '-1'],
    ],
  },
  {
    name: 'the stamp is not looked at again under the lock',
    patches: [
      [
        'sync/',
        'if (event.created_at < floor || (event.created_at === floor && !replaces)) return stale;',
        'void floor; void replaces;',
      ],
    ],
  },
  {
    name: 'what has expired does not raise the stamp',
    patches: [
      [
        'sync',
        'const head = record?.head?.event.created_at ?? -1;',
        "const head = record?.head?.event.tags.some(([name]) => name === 'expiration') === true ? -1 : record?.head?.event.created_at ?? -1;",
      ],
      [
        'sync/',
        'head?.created_at ?? -1',
        "head?.tags.some(([name]) => name === 'expiration') === true ? -1 : head?.created_at ?? -1",
      ],
    ],
    test: ['test/sync/reading.test.ts', 'keeps the stamp of what has expired as the floor'],
  },
  {
    name: 'what cannot be read does not raise the stamp',
    patches: [
      [
        'sync',
        'const head = record?.head?.event.created_at ?? -1;',
        'const head = readableOf(record)?.created_at ?? -1;',
      ],
      ['sync/', 'head?.created_at ?? -1', 'readableOf(record)?.created_at ?? -1'],
    ],
  },
  {
    name: 'no tie-break: the first to arrive stays',
    patches: [['protocol/order.ts', 'a.id < b.id ? 1 : -1', '-1']],
    // The simulator sees devices agree all the same: a tie that a relay keeps is renewed.
    test: ['test/protocol/order.test.ts', 'the higher stamp wins, on a tie the lower id'],
  },
  {
    name: 'the tie-break is the wrong way round',
    patches: [['protocol/order.ts', 'a.id < b.id ? 1 : -1', 'a.id > b.id ? 1 : -1']],
  },
  {
    name: 'a relay that rolls back takes the device along',
    patches: [['sync/', 'if (order < 0) return overlooked(record!, event);', '']],
  },
  {
    name: 'a blind write is in conflict with its own earlier stamps',
    patches: [['sync/', 'event.created_at - renewedBy(event)', 'event.created_at']],
    test: [
      'test/sync/renewal.test.ts',
      'a first write in ignorance that is stamped anew is in conflict with none of its own stamps',
    ],
  },
  {
    name: 'of what was saved at once only the first conflict is told',
    patches: [
      [
        'sync/',
        'conflicts.find(({ mine }) => isLostTo(mine, record.own, head))',
        'conflicts.slice(0, 1).find(({ mine }) => isLostTo(mine, own, head!))',
      ],
    ],
    test: [
      'test/sync/conflict.test.ts',
      'what a blind write beats and what beats the next one are two conflicts, also if both are saved at once',
    ],
  },
  {
    name: 'a stamp is used again after a socket has carried it',
    patches: [['sync/', 'sender.carried(dTag); return', 'return']],
  },
  {
    name: 'what no relay has acknowledged counts as carried by none',
    patches: [
      [
        'sync/',
        'reconcile(so.record, input, uncarried.get(dTag))',
        'reconcile(so.record, input, so.record?.own?.acknowledged === false ? so.record.own.id : undefined)',
      ],
      [
        'sync/',
        'sender.uncarried.has(dTag) && sender.uncarried.get(dTag) === cache.get(dTag)?.head?.event.id',
        'cache.get(dTag)?.own?.acknowledged === false',
      ],
    ],
  },
  {
    name: 'sends while a newer write is being saved',
    patches: [['sync/', 'if (persistence.isWriting(dTag)) return undefined;', '']],
    test: ['test/sync/stamps.test.ts', 'nothing goes out while a newer write is being saved'],
  },
  {
    name: 'a tab that does not lead takes its writes for uncarried',
    patches: [['sync/', 'isSender = sender.isOnly(mark);', 'isSender = true;']],
  },
  {
    name: 'writes without a look at what the relays have',
    patches: [['sync', 'const asked = questions.explore(dTag);', 'const asked = undefined;']],
    test: ['test/sync/stamps.test.ts', 'that never read the value asks before its first write'],
  },
  {
    name: 'the first write goes out before its question is answered',
    patches: [
      [
        'sync/',
        "if (!isHeld(record)) return 'none';",
        "if (isHeld(record) || record.event !== undefined) return 'none';",
      ],
    ],
    test: [
      'test/sync/stamps.test.ts',
      'is on the medium at once, and on no socket before the question is over',
    ],
  },
  {
    name: 'a first write that turns out to be beaten is not stamped again',
    patches: [['sync/', 'const isBeaten = upTo > event.created_at;', 'const isBeaten = false;']],
    test: ['test/sync/stamps.test.ts', 'is stamped anew above what turns up while it is asked'],
  },
  {
    name: 'a conflict is not told',
    patches: [
      [
        'sync/',
        "if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });",
        '',
      ],
    ],
    test: ['test/sync/conflict.test.ts', 'the loser of two writes that had not seen each other is told'],
  },
  {
    name: 'a conflict that comes while there is no signer is not told',
    patches: [['sync/', 'if (!isPassing(error)) untold.delete(overwrite);', 'untold.delete(overwrite);']],
    test: ['test/sync/conflict.test.ts', 'a conflict is told with the next signer'],
  },
  {
    name: 'a write that is the head again is not missed',
    patches: [['sync/heads/own-write.ts', 'own.former === undefined', 'own.former !== own']],
    test: ['test/sync/conflict.test.ts', 'a write that is the newest again'],
  },
  {
    name: 'a conflict is told again with each newer value',
    patches: [['sync/', 'own.id === mine?.id && overwrites(event, own)', 'overwrites(event, own)']],
    test: ['test/sync/conflict.test.ts', 'a conflict is told once, though others go on from the winner'],
  },
  {
    name: 'a write that lives on in another is told as lost with that',
    patches: [
      ['sync/', 'isLostTo(head, own, event)', 'own?.lost !== true && isLostTo(own, own, event)'],
      // The reader asks again, once all that came together is known.
      [
        'sync/',
        'conflicts.find(({ mine }) => isLostTo(mine, record.own, head))',
        'conflicts.find(() => isLostTo(own, own, head!))',
      ],
    ],
    test: [
      'test/sync/conflict.test.ts',
      'who overwrites blindly what had seen a write is in conflict with the writer of that, not of the first',
    ],
  },
  {
    name: 'a withdrawn write that turns up is not told',
    patches: [['sync/', '[...(own.withdrawn ?? []), id].slice(-MAX_WITHDRAWN)', 'own.withdrawn ?? []']],
    test: ['test/sync/publish.test.ts', 'a write that was withdrawn, and that a relay kept all the same'],
  },
  {
    name: 'what a copy of this device has written counts as seen by it',
    patches: [['sync/', 'if (isOfTwin(event, own)) return true;', '']],
    test: ['test/sync/twins.test.ts', 'are found out by the write that one has not made'],
  },
  {
    name: 'a device with a copy keeps its id',
    patches: [['engine/', 'deviceId = await keep(next);', 'await keep(next); return;']],
    test: ['test/sync/twins.test.ts', 'are found out by the write that one has not made'],
  },
  {
    name: 'a new id is forgotten by a restart',
    patches: [['engine/', 'return new Map([[deviceIdKey, kept]]);', 'return new Map();']],
    test: ['test/sync/twins.test.ts', 'keep the new id over a restart'],
  },
  {
    name: 'a tie of two copies is not found out',
    patches: [['sync/', 'return isTied || seen >', 'return seen >']],
    test: ['test/sync/twins.test.ts', 'are found out where they write in one second'],
  },
  {
    name: 'a device takes its own withdrawn write for that of a copy',
    patches: [['sync/', 'Math.max(own.stamp, own.floor ?? -1)', 'own.stamp']],
    test: ['test/sync/twins.test.ts', 'where a write that was withdrawn turns up'],
  },
  {
    name: 'a device takes every write that has seen its own for that of a copy',
    patches: [['sync/', 'seen > Math.max(', 'seen >= Math.max(']],
  },
  {
    name: 'who writes upon an event without a vector has seen nothing else',
    patches: [['sync/', 'newestOf(seenBy(head, record?.deemed))', 'newestOf(new Map())']],
    test: ['test/sync/conflict.test.ts', 'a write upon one without a vector has seen'],
  },
  {
    name: 'a restart forgets what an event without a vector is deemed to have seen',
    patches: [['sync/', 'deemed.size === 0', 'deemed.size >= 0']],
    test: ['test/sync/conflict.test.ts', 'a write upon one without a vector has seen'],
  },
  {
    name: 'a vector may claim to have seen the future',
    patches: [['protocol/header.ts', 'match !== null && Number(match[2]) <= newest', 'match !== null']],
    test: ['test/protocol/header.test.ts', 'a vector with an entry above its own event'],
  },
  {
    name: 'a full vector drops its writer',
    patches: [['protocol/causality.ts', 'd !== device && s <= stamp', 'd !== device']],
    test: ['test/protocol/causality.test.ts', 'never drops its writer'],
  },
  {
    name: 'what came while the value was signed counts as seen',
    patches: [
      [
        'sync',
        'vectorAt(seen, device, stamp)',
        'vectorAt(seenBy(readableOf(replica.get(dTag))), device, stamp)',
      ],
    ],
    test: ['test/sync/conflict.test.ts', 'a write has not seen what came while it was being signed'],
  },
  {
    name: 'a full version vector drops its newest entry',
    patches: [['protocol/causality.ts', '.slice(0, room)', '.slice(-room)']],
    test: ['test/protocol/causality.test.ts', 'drops the oldest of 17'],
  },
  {
    name: 'a write that has seen ours is told as a conflict with it',
    patches: [
      [
        'sync/',
        'return vector === undefined ? !own.acknowledged : !covers(vector, own.device, own.stamp);',
        'return vector !== undefined || covers(new Map(), own.device, own.stamp);',
      ],
    ],
  },
];

/** Saving, and what a restart finds. */
const STORE = [
  {
    name: 'publish resolves before the flush',
    patches: [
      [
        'sync',
        "await replica.apply(dTag, { type: 'write', event, device, isRead: hand.isProven(content), isBlind, heldUntil, voids, along, ...pieces, });",
        "await Promise.race([replica.apply(dTag, { type: 'write', event, device, isRead: hand.isProven(content), isBlind, heldUntil, voids, along, ...pieces }), new Promise<never[]>((r) => clock.after(0, () => r([])))]);",
      ],
    ],
  },
  {
    name: 'a failed save resolves',
    patches: [
      ['sync/', 'for (const job of own) job.reject(error);', 'for (const job of own) job.resolve([]);'],
    ],
  },
  {
    name: 'a reset that could not be saved leaves the floor where it was',
    patches: [['sync/', '&& !isReset(stored, ours);', '&& isReset !== undefined;']],
    test: ['test/sync/replica.test.ts', 'lowers the floor once it is saved'],
  },
  {
    name: 'what could not be saved is forgotten',
    patches: [
      [
        'sync/',
        'if (ours === undefined || isAhead(stored, ours))',
        'if (ours === undefined || unsaved.has(dTag))',
      ],
    ],
    test: ['test/sync/store-failure.test.ts', 'what came while the store failed stays known'],
  },
  {
    name: 'what could not be saved is not tried again',
    patches: [
      [
        'sync/',
        "for (const dTag of new Set([...unsaved.keys(), ...refused.keys()])) void apply(dTag, { type: 'resave' });",
        'void apply;',
      ],
    ],
  },
  {
    name: 'a restart forgets what is owed',
    patches: [
      [
        'sync/',
        'deliveries: new Map(deliveries),',
        "deliveries: new Map(deliveries.map(([url]) => [url, 'confirmed' as const])),",
      ],
    ],
  },
  {
    name: 'a stored record is believed unseen',
    patches: [
      ['sync/', "known: () => undefined }).type === 'new'", "known: () => undefined }).type !== 'known'"],
    ],
    test: [
      'test/sync/store-failure.test.ts',
      'is neither shown nor sent, and is kept for whoever can read it',
    ],
  },
  {
    name: 'a record that cannot be read is written over',
    patches: [['sync/', 'writes.set(keys.unreadable(keys.record(dTag)), before);', 'void keys;']],
    test: [
      'test/sync/store-failure.test.ts',
      'is neither shown nor sent, and is kept for whoever can read it',
    ],
  },
  {
    name: 'a stored record that proves unusable stays owed',
    patches: [['sync/', 'if (entry.record === undefined) ports.onDropped(dTag);', '']],
    test: [
      'test/sync/store-failure.test.ts',
      'is neither shown nor sent, and is kept for whoever can read it',
    ],
  },
  {
    name: 'a piece that a failed save left behind stays in the store',
    patches: [
      [
        'sync/',
        'namesLeftBehind(before, record))',
        'namesLeftBehind(before && serializeRecord(known.read(dTag, before)!), record))',
      ],
    ],
    test: [
      'test/sync/store-failure.test.ts',
      'of a value that was replaced while the store failed go once it is well',
    ],
  },
  {
    name: 'a store that does not answer is waited for',
    patches: [
      ['store/deadline.ts', 'clock.after(STORE_DEADLINE_MS,', 'clock.after(1e15 * STORE_DEADLINE_MS,'],
    ],
  },
  {
    name: 'what was refused for want of an answer is decided all the same, later',
    patches: [['store/deadline.ts', 'if (isOver) throw', 'if (isOver && keys.length > 9) throw']],
    test: ['test/store/deadline.test.ts', 'leaves no timer behind, and no update that is decided later'],
  },
  {
    name: 'a write that was refused, and saved all the same, is not taken back',
    patches: [['sync/', 'refused.set(dTag, [...(refused.get(dTag) ?? []), input]);', 'void 0;']],
    test: ['test/store/deadline.test.ts', 'takes back what was saved after its publish was refused'],
  },
  {
    name: 'a database that has failed is used on',
    patches: [['store/indexeddb.ts', 'database.forget(); throw storeFailed', 'throw storeFailed']],
    test: ['test/store/deadline.test.ts', 'a handle that fails without a word is dropped'],
  },
  {
    name: 'what a database hangs on is kept',
    patches: [['store/indexeddb-database.ts', 'transaction.abort(); } catch', 'void transaction; } catch']],
    test: ['test/store/deadline.test.ts', 'a transaction that never answers is aborted'],
  },
  {
    name: 'a piece on the disk is believed unseen',
    patches: [['store/file-log.ts', 'crc32(line) === crc ?', 'crc32(line) !== crc + 0.5 ?']],
    test: ['test/store/file.test.ts', 'that rot on the disk are gone, alone'],
  },
  {
    name: 'pieces are read from their places before the log was rewritten',
    patches: [['store/file-entries.ts', 'put(live, key, copy!.places.get(key) ?? null)', 'void copy']],
    test: ['test/store/file.test.ts', 'can be read while the log is rewritten under them'],
  },
  {
    name: 'the log of a holder that may live is written on',
    patches: [['store/file-entries.ts', '!found.isWhole || lock.isFromLiving', '!found.isWhole']],
    test: ['test/store/file-processes.test.ts', 'of a process elsewhere that has not been heard of for long'],
  },
  {
    name: 'a process that is not seen from here counts as dead',
    patches: [
      [
        'store/file-lock.ts',
        'if (isNear && !(await isAlive(holder)))',
        'if (!isNear || !(await isAlive(holder)))',
      ],
    ],
    test: ['test/store/file-processes.test.ts', 'of a process elsewhere that shows a sign of life is not'],
  },
  {
    name: 'a folder that others may use is used',
    patches: [['store/files.ts', 'if ((mode & 0o077) === 0) return;', 'if (mode >= 0) return;']],
    test: ['test/store/file.test.ts', 'is refused, with what to do about it'],
  },
  {
    name: 'links in the folder are followed',
    patches: [['store/files.ts', 'flags | constants.O_NOFOLLOW | constants.O_NONBLOCK', 'flags']],
    test: ['test/store/file.test.ts', 'nothing is written or read through a link'],
  },
];

/** What is owed to whom, and when it is done. */
const OUTBOX = [
  {
    name: 'gives up after 3 tries',
    patches: [
      [
        'sync',
        'const delayMs = queue.againMs(event, sent);',
        "if (sent.count >= 3) return void replica.apply(dTag, { type: 'answered', relay: url, id, delivery: 'refused' }); const delayMs = queue.againMs(event, sent);",
      ],
    ],
  },
  {
    name: 'done on the first OK',
    patches: [
      [
        'sync',
        'if (isOwed(record, known.relay)) return',
        'if (isOwed(record, known.relay) && record.own?.acknowledged !== true) return',
      ],
    ],
  },
  {
    name: 'no read-repair',
    patches: [['sync/', 'missing.map(([dTag, id])', 'missing.slice(missing.length).map(([dTag, id])']],
  },
  {
    name: 'a wiped relay gets back only what is asked for',
    patches: [['sync/', 'if (missing.some(([dTag, id]) => isConfirmed(dTag, id))) ports.onLoss(relay);', '']],
  },
  {
    name: 'a relay that drops one event is asked for all each time',
    patches: [['sync/', 'if (isSweep) sweptAt = clock.now();', '']],
    test: ['test/sync/relays.test.ts', 'asks a relay that drops one event again and again'],
  },
  {
    name: 'a value is told before its conflict',
    patches: [
      ['sync/', 'await ports.conflictsTold(dTag); if (result === undefined', 'if (result === undefined'],
    ],
  },
  {
    name: 'what no relay has is not said to be pending',
    patches: [['sync/', '({ pending: true } as const)', '({} as const)']],
  },
  {
    name: 'OK is believed without a read-back',
    patches: [['sync', 'return audit.put(dTag, CONFIRM_DELAY_MS);', 'return audit.remove(dTag);']],
  },
  {
    name: 'what was sent goes out again while its answer is being saved',
    patches: [
      [
        'sync',
        'answered(answer); return { answer, count };',
        'inFlight.delete(item.key); answered(answer); return { answer, count };',
      ],
    ],
    test: ['test/sync/store-failure.test.ts', 'is not sent to it again while the answers are being saved'],
  },
  {
    name: 'a withdrawal that comes too late rejects all the same',
    patches: [
      [
        'sync',
        "if (effects?.some(({ type }) => type === 'withdrawn') === true) reject(waiter, reasons);",
        'if (effects !== undefined) reject(waiter, reasons);',
      ],
    ],
    kept: 'newer-write-saved-before-withdrawal',
  },
  {
    name: 'a read-back that was not answered is not made again',
    patches: [
      [
        'sync',
        "return !isComplete && (step === 'read-back' || step === 'look-after-spread');",
        'return false;',
      ],
    ],
  },
  {
    name: 'what one relay shows is not spread to the others',
    patches: [
      [
        'sync',
        'return audit.put(dTag, SPREAD_DELAY_MS * (0.5 + randomFraction(ports.randomBytes)));',
        'return void randomFraction(ports.randomBytes);',
      ],
    ],
  },
  {
    name: 'drops what was "replaced" without a look',
    patches: [
      [
        'sync',
        "delivery: 'acknowledged', superseded",
        "delivery: answer.type === 'superseded' ? 'refused' : 'acknowledged', superseded",
      ],
      ['sync', 'if (superseded) audit.put(dTag, 0); else', "if (answer.type !== 'superseded')"],
    ],
    test: [
      'test/sync/relays.test.ts',
      'on strfry a write that was beaten while its device was away is known to be beaten, unasked',
    ],
  },
  {
    name: 'a stamp in the future is refused for good',
    patches: [
      ['protocol/answer.ts', "return { type: 'clock', reason }", "return { type: 'refused', reason }"],
    ],
  },
  {
    name: 'the rate limit of a relay is an error like any other',
    patches: [
      [
        'protocol/answer.ts',
        "case 'rate-limited': case 'auth-required':",
        "case 'rate-limited': return { type: 'retry', reason }; case 'auth-required':",
      ],
    ],
    test: [
      'test/sync/relays.test.ts',
      'one that limits the rate is left alone for a minute, and everything still arrives',
    ],
  },
  {
    name: 'an answer counts for the category, not for the event',
    patches: [
      [
        'sync/',
        'record: record?.head?.event.id === id ? apply(record) : record',
        "record: record?.event !== undefined && id !== '' ? apply(record) : record",
      ],
    ],
  },
  {
    name: 'an OK counts whatever relay it came from',
    patches: [
      [
        'relay/',
        'const pending = new Map<string, PendingAnswer>();',
        'const pending = ((clock as { pending?: Map<string, PendingAnswer> }).pending ??= new Map<string, PendingAnswer>());',
      ],
    ],
  },
  {
    name: 'an OK that is neither true nor false is a yes',
    patches: [
      ['protocol/message.ts', "return typeof second === 'boolean' ?", 'return second !== undefined ?'],
      ['protocol/message.ts', 'accepted: second,', 'accepted: Boolean(second),'],
    ],
    test: ['test/relay/misuse.test.ts', 'for true answers nothing'],
  },
  {
    name: 'an added relay is owed nothing',
    patches: [
      ['sync/', "record.deliveries.get(relay) ?? 'pending'", "record.deliveries.get(relay) ?? 'confirmed'"],
    ],
  },
  {
    name: 'a removed relay stays owed',
    patches: [['sync', 'const lane = lanes.get(url); lanes.delete(url);', 'const lane = lanes.get(url);']],
  },
  {
    name: 'a relay that is added again is believed what it said before',
    patches: [
      [
        'sync/',
        'if (record === undefined || !record.deliveries.has(input.relay)) return { record, effects: [] };',
        'if (record !== undefined || input.relay) return { record, effects: [] };',
      ],
    ],
    test: ['test/sync/relays.test.ts', 'a relay that is removed and added again starts anew'],
  },
  {
    name: 'withdraws what a removed relay has',
    kept: 'removed-relay-has-it',
    patches: [
      ['sync', 'if (!isOwnHead(record) || record.own!.acknowledged) return false;', ''],
      ['sync', 'isRefused(record, waiter.asked)', 'isOwnHead(record) && isRefused(record, relays)'],
    ],
  },
  {
    name: 'rejects and does not withdraw',
    patches: [
      [
        'sync',
        "await replica .apply(dTag, { type: 'withdraw', id, along: () => along })",
        "await Promise.resolve([{ type: 'withdrawn' as const }])",
      ],
    ],
  },
  {
    name: 'withdraws what another caller was told is saved',
    patches: [['sync', 'told.get(waiter.dTag) === waiter.event.id ?', 'closed ?']],
    test: ['test/sync/publish.test.ts', 'not taken back because another waits for the same event'],
  },
  {
    name: 'the note of a withdrawn write stays',
    patches: [['sync', ": effects.some(({ type }) => type === 'withdrawn')", ': false']],
    test: ['test/sync/publish.test.ts', 'removes it in one step with the write that is withdrawn'],
  },
  {
    name: 'rejects what one relay of two refused',
    patches: [
      [
        'sync',
        "return [...asked].every((relay) => deliveryOf(record, relay) === 'refused'",
        "return [...asked].some((relay) => deliveryOf(record, relay) === 'refused'",
      ],
    ],
  },
  {
    name: 'the outbox stops with the signer',
    patches: [
      [
        'sync/',
        'if (next !== undefined) consumers.signerChanged();',
        'if (next === undefined) network.close(); else consumers.signerChanged();',
      ],
    ],
  },
  {
    name: 'a relay that refused the head is not asked after a restart',
    patches: [['sync/', "if (stepOf(dTag) === 'look-again') audit.put(dTag, 0);", '']],
    test: [
      'test/sync/remove.test.ts',
      'and learns of it after a restart, where it was closed before the relay could tell',
    ],
    kept: 'refused-and-forgotten',
  },
  {
    name: 'a relay that refused the head is never asked again',
    patches: [
      ['sync/', "if (step === 'look-again') return true;", "if (step === 'look-again') return !isComplete;"],
    ],
    test: ['test/sync/remove.test.ts', 'and learns of it within the quarter of an hour'],
  },
  {
    name: 'a clock that is set forward makes waits longer',
    patches: [['sync/', 'arm(Math.min(at, timerAt));', 'if (at < timerAt) arm(at);']],
    test: ['test/sync/agenda.test.ts', 'put after the clock was set forward'],
  },
  {
    name: 'a clock that is set back makes waits longer',
    patches: [['sync/', 'Math.max(0, lastNow - time)', 'Math.max(0, time - time)']],
    test: ['test/sync/agenda.test.ts', 'waits no longer where the clock is set back'],
  },
  {
    name: 'an error of the relay counts as an OK',
    patches: [
      [
        'protocol/answer.ts',
        "return { type: FINAL.has(prefix) ? 'refused' : 'retry', reason };",
        "return prefix === 'error' ? { type: 'acknowledged' } : { type: FINAL.has(prefix) ? 'refused' : 'retry', reason };",
      ],
    ],
  },
  {
    name: 'an OK counts as a read-back',
    patches: [
      [
        'sync/',
        'withDelivery(current, input.relay, input.delivery, input.superseded)',
        "withDelivery(head, input.relay, input.delivery === 'refused' ? 'refused' : 'confirmed', input.superseded)",
      ],
    ],
  },
  {
    name: 'what one relay shows counts for all',
    patches: [
      [
        'sync/',
        "url === relay ? 'confirmed' : 'unseen'",
        "url === relay || relays.includes(relay) ? 'confirmed' : 'unseen'",
      ],
    ],
  },
  {
    name: 'what a relay does not take is sent again at once',
    patches: [
      [
        'sync/',
        "case 'retry': return retryMs(count - 1, randomBytes);",
        "case 'retry': return 100 + 0 * retryMs(count - 1, randomBytes);",
      ],
    ],
  },
  {
    name: 'what a relay says OK to and forgets is sent again at once',
    patches: [['sync/', 'countOf(item) < 3 ? 0', 'countOf(item) < 1e9 ? 0']],
  },
  {
    name: 'a relay that does not answer is asked again at once',
    patches: [
      ['sync/', 'retryMs(failures++, ports.randomBytes)', '100 + 0 * retryMs(failures++, ports.randomBytes)'],
    ],
    kept: 'asked-in-vain',
  },
  {
    name: 'a publish waits for its relays for ever',
    patches: [
      [
        'sync/',
        'const cancel = clock.after(PUBLISH_TIMEOUT_MS, stop);',
        'const cancel = (): void => undefined; void PUBLISH_TIMEOUT_MS;',
      ],
    ],
  },
  {
    name: 'replicated is what one relay has',
    patches: [
      [
        'sync/',
        "deliveries.every((delivery) => delivery === 'confirmed')",
        "deliveries.some((delivery) => delivery === 'confirmed')",
      ],
    ],
  },
  {
    name: 'a relay that refuses a write is not asked what it has instead',
    patches: [['sync/', "delivery: 'refused' }); audit.put(dTag, 0);", "delivery: 'refused' });"]],
    test: [
      'test/sync/remove.test.ts',
      'whose write comes after a removal, and is refused for it, learns of the removal by itself',
    ],
  },
  {
    name: 'a relay that refuses a piece is not asked what it has instead',
    patches: [
      [
        'sync/',
        'await ports.refused(dTag, head.id);',
        "await replica.apply(dTag, { type: 'answered', relay: url, id: head.id, delivery: 'refused' });",
      ],
    ],
    test: ['test/sync/large.test.ts', 'that refuses the pieces of a write made offline is asked what it has'],
  },
  {
    name: 'what was read once counts as unreadable where the signer fails',
    patches: [['sync/', "current.head!.reading === 'unread' ?", "current.head!.reading !== 'unreadable' ?"]],
    test: ['test/sync/reading.test.ts', 'was read once, is built upon whatever the signer says of it later'],
  },
  {
    name: 'what a signer could not read at first stays unreadable',
    patches: [
      [
        'sync/',
        "{ ...current.head!, reading: 'read' }",
        "{ ...current.head!, reading: current.head!.reading === 'unreadable' ? 'unreadable' : 'read' }",
      ],
    ],
    test: ['test/sync/reading.test.ts', 'is one that a signer could not read at first'],
  },
  {
    name: 'flush ends in the middle of what was saved together',
    patches: [['nostr-sync.ts', 'queueMicrotask(flushes.check);', 'flushes.check();']],
  },
  {
    name: 'a flush waits for ever after close',
    patches: [['engine/', 'for (const flush of [...flushes]) flush.reject(error);', '']],
  },
  {
    name: 'flush is not told that nothing is owed any more',
    patches: [
      ['sync/', '{ changed: onProgress, relaysChanged: onProgress },', '{ relaysChanged: onProgress },'],
    ],
  },
];

/** What no app asked for. */
const RENEWAL = [
  {
    name: 'a renewal asks no relay',
    patches: [['sync/', 'if (heads.length > 0 && (await isHeard(heads)))', 'if (heads.length > 0)']],
    test: [
      'test/sync/renewal.test.ts',
      'nothing is stamped anew before every connected relay has answered, and then only what is the head',
    ],
  },
  {
    name: 'a renewal asks one relay',
    patches: [
      [
        'sync/',
        'complete.length > 0 && (silent.length === 0 || !isPatient)',
        'complete.length > 0 && (silent.length >= 0 || !isPatient)',
      ],
      ['sync/', "ask(dTags, 'all')", "ask(dTags, 'known')"],
    ],
    test: [
      'test/sync/renewal.test.ts',
      'nothing is stamped anew before every connected relay has answered, and then only what is the head',
    ],
  },
  {
    name: 'a renewal takes the place of whatever is there',
    patches: [['sync/', 'return record?.head?.event.id === input.id ? advance', 'return record ? advance']],
  },
  {
    name: 'what a reset has voided counts again',
    patches: [
      [
        'sync/',
        'if (record !== undefined && isVoid(record.voids, event)) return',
        'if (record === null) return',
      ],
      ['sync/', 'isVoid(replica.get(dTag)?.voids ?? new Map(), event)', 'isVoid(new Map(), event)'],
    ],
    test: ['test/sync/reset.test.ts', 'comes back over nothing: a relay that was away is asked to delete it'],
  },
  {
    name: 'a reset is not looked at below the head that it voids',
    patches: [['sync/', '|| newest.isNewReset(dTag, event)', '']],
    test: [
      'test/sync/reset.test.ts',
      'is written again at the present time, and every device writes and reads from there',
    ],
  },
  {
    name: 'what comes after a reset does not tell of it',
    patches: [['sync/', "return isUntold ? 'void' : undefined", 'return undefined']],
    test: ['test/sync/reset.test.ts', 'that a writer had not heard of is told on by who had'],
  },
  {
    name: 'relays are not asked to delete what is void',
    patches: [['sync/', 'void relay.publish(event)', 'void event']],
    test: ['test/sync/reset.test.ts', 'comes back over nothing: a relay that was away is asked to delete it'],
  },
  {
    name: 'the floor stays in the future after a reset by another',
    patches: [['sync/', 'own === undefined || floorOf(record) <= stamp', 'own !== null']],
    test: ['test/sync/reset.test.ts', 'by another device leaves the writer from the future a present'],
  },
  {
    name: 'a reset beats what it had not heard of',
    patches: [
      [
        'sync/',
        'const isBack = before !== undefined && compareEvents(before.event, event) > 0;',
        'const isBack = before === null;',
      ],
    ],
    test: ['test/sync/reset.test.ts', 'that its device had not heard of: it comes back from who has it'],
  },
  {
    name: 'what a void head was written upon comes back',
    patches: [
      [
        'sync/',
        'isFuture || isPartOf(seenBy(head?.event), before.event) ? undefined : before',
        'isFuture ? undefined : before',
      ],
    ],
    test: [
      'test/sync/reset.test.ts',
      'brings back nothing to who had seen what its writer had written before',
    ],
  },
  {
    name: 'a reset brings back something else from the future',
    patches: [
      [
        'sync/',
        'before.event.created_at > reset.created_at + DAY_SECONDS',
        'before.event.created_at > Infinity',
      ],
    ],
    test: ['test/sync/reset.test.ts', 'brings back nothing to who had seen another value from the future'],
  },
  {
    name: 'a reset is not above what a value from the future is deemed to have seen',
    patches: [['sync/', '...seenBy(one, deemed).values()', '...seenBy(one).values()']],
    test: ['test/sync/reset.test.ts', 'is above what a value from the future without a vector had replaced'],
  },
  {
    name: 'after a reset by another a write is below older ones of its device',
    patches: [['sync/', '...(own.past ?? []).filter((one) => one <= event.created_at + DAY_SECONDS)', '']],
    test: [
      'test/sync/reset.test.ts',
      'by another device leaves the next write of the one that wrote in the future above',
    ],
  },
  {
    name: 'pieces from the future stay after a reset',
    patches: [['sync/', 'of voids.size === 0 ? [] : ports.relays()', 'of [] as string[]']],
    test: ['test/sync/reset.test.ts', 'in pieces is written again whole'],
  },
  {
    name: 'a write above what is from the future asks no relay',
    patches: [
      [
        'sync/',
        'if (isAhead(replica.get(dTag), nowSeconds(clock), SKEW_REPORT_SECONDS)) await questions.lookForReset(dTag);',
        '',
      ],
    ],
    test: ['test/sync/reset.test.ts', 'comes back over nothing: a relay that was away is asked to delete it'],
  },
  {
    name: 'one relay says for all that this clock is ahead',
    patches: [['sync/', 'Math.min(...said)', 'Math.max(...said)']],
    test: ['test/sync/clocks.test.ts', 'is not found so by one relay alone'],
  },
  {
    name: 'a clock that is ahead of all relays is written by',
    patches: [['sync/', 'if (aheadSeconds < DAY_SECONDS) return;', 'if (aheadSeconds < Infinity) return;']],
    test: [
      'test/sync/clocks.test.ts',
      'is not written by: what relays refuse as too late is a day old by it',
    ],
  },
  {
    name: 'what relays said of the time holds though the clock was set back',
    patches: [['sync/', 'word === undefined || word.at <= clock.now()', 'word === undefined || word.at > 0']],
    test: ['test/sync/clocks.test.ts', 'is written by again as soon as it is set right'],
  },
  {
    name: 'stamps have no bound',
    patches: [['sync/', 'aheadSeconds <= MAX_AHEAD_SECONDS', 'aheadSeconds < Infinity']],
    test: ['test/sync/clocks.test.ts', 'nothing is signed more than a year ahead'],
  },
  {
    name: 'a write from the future is stamped with the time',
    patches: [['sync/', 'floor === -Infinity ? undefined : floor + 1', 'nowSeconds']],
    test: [
      'test/sync/clocks.test.ts',
      'is stamped just above what it is above, and the category can be written and read again',
    ],
  },
  {
    name: 'a write from the future is stamped by others from there',
    patches: [['sync/', 'above.filter((one) => one < latest)', 'above']],
    test: ['test/sync/clocks.test.ts', 'upon others by that clock, over a restart'],
  },
  {
    name: 'one relay says for all that a write is from the future',
    patches: [['sync/', 'open.every(({ url }) => says(url))', 'open.some(({ url }) => says(url))']],
    test: [
      'test/sync/clocks.test.ts',
      'waits for the word of each relay that is connected, and for a complete answer',
    ],
  },
  {
    name: 'its own write from the future is a twin to a device',
    patches: [['sync/', 'event.id === own.id || hasUndone(own, seen)', 'event.id === own.id']],
    test: [
      'test/sync/clocks.test.ts',
      'that a relay kept in spite of its word is told where it comes back, and no twin is seen in it',
    ],
  },
  {
    name: 'of many writes by a wrong clock the first is forgotten',
    patches: [['sync/', 'stamps.splice(gaps.indexOf(Math.min(...gaps)), 1)', 'stamps.shift()']],
    test: [
      'test/sync/reset.test.ts',
      'of the last of many writes by a wrong clock: where a relay kept the first, no twin is seen in it',
    ],
  },
  {
    name: 'a renewal claims a time of its own',
    patches: [['protocol/renewal.ts', 'const stamp = created_at + 1', 'const stamp = created_at + 60']],
  },
  {
    name: 'a relay that keeps the first of two has its way',
    patches: [['protocol/limits.ts', 'MAX_CONTRADICTIONS = 2', 'MAX_CONTRADICTIONS = Infinity']],
    test: [
      'test/sync/renewal.test.ts',
      'the one that wins is stamped anew where nostr-rs-relay keeps the first',
    ],
  },
  {
    name: 'a relay that keeps the last of two has its way',
    patches: [['sync/', 'doubt(dTag, claim.created_at);', '']],
    test: [
      'test/sync/renewal.test.ts',
      'the one that wins comes back where chorus keeps the last, sent by who had no network',
    ],
  },
  {
    name: 'a removal deletes all of its address up to its stamp',
    patches: [
      [
        'sync/',
        'deletionOf(removed.id, tombstone.created_at - 1)',
        "{ ...deletionOf(removed.id, tombstone.created_at - 1), tags: [['a', `30078:${hand.pubkey}:${dTag}`]] }",
      ],
    ],
    test: [
      'test/sync/remove.test.ts',
      'by a clock that is two years ahead, on a relay that takes any stamp, leaves the category a present',
    ],
  },
  {
    name: 'a tombstone that a deletion ate stays eaten',
    patches: [['sync/', '|| (instead === undefined && isTombstone(head))', '']],
    test: ['test/sync/renewal.test.ts', 'and that a deletion request ate, is made again above it'],
  },
  {
    name: 'renewals climb without end',
    patches: [
      [
        'sync/',
        'renewedBy(head) >= MAX_RENEWAL_SECONDS',
        'renewedBy(head) >= Infinity + MAX_RENEWAL_SECONDS',
      ],
    ],
    test: [
      'test/sync/renewal.test.ts',
      'a relay that goes on showing another event moves the stamp by three seconds at most',
    ],
  },
  {
    name: 'a value of which a relay refuses a piece is written again, now',
    patches: [
      [
        'sync/',
        "if (made.size > 0) await replica.apply(dTag, { type: 'remade', id: record!.head!.event.id, made });",
        "if (made.size > 0) { const head = record!.head!.event; await replica.apply(dTag, { type: 'remade', id: head.id, made }); await replica.apply(dTag, { type: 'renew', id: head.id, event: await hand.sign({ ...renewalOf(head), created_at: Math.max(head.created_at + 1, nowSeconds()) }) }); }",
      ],
    ],
  },
  {
    name: 'what has ended is left to the relays',
    patches: [['sync/', "? 'end' : undefined", '? undefined : undefined']],
  },
  {
    name: 'what has ended by this clock has ended for all',
    patches: [
      [
        'sync/',
        "return isAgreed || isExpired(head, nowSeconds - END_MARGIN_SECONDS) ? 'end' : undefined;",
        "return isAgreed || isExpired(head, nowSeconds + END_MARGIN_SECONDS) ? 'end' : undefined;",
      ],
    ],
    test: ['test/sync/renewal.test.ts', 'by a clock that is ahead has not ended for the others'],
  },
  {
    name: 'a renewal is news',
    patches: [['sync/', 'if (renews === undefined) return;', 'if (renews !== event.id) return;']],
    test: [
      'test/sync/renewal.test.ts',
      'the one that wins is stamped anew where nostr-rs-relay keeps the first',
    ],
  },
  {
    name: 'the writer does not know its write again',
    patches: [
      ['sync/', 'isOwnHead(record!) ? { ...record!.own!, id: event.id } : record!.own', 'record!.own'],
    ],
    test: [
      'test/sync/renewal.test.ts',
      'the one that wins is stamped anew where nostr-rs-relay keeps the first',
    ],
  },
  {
    name: 'a piece is signed again below its tombstone',
    patches: [['sync/', '({ buried }) => buried! + 1', '({ buried }) => buried! - 1']],
    test: [
      'test/sync/renewal.test.ts',
      'is signed again above its tombstone, by whoever has it, and no head comes of that',
    ],
  },
];

/** What comes in from relays. */
const INBOX = [
  {
    name: 'poll gives what was replaced while it was read',
    patches: [
      ['sync/', 'polled.get(one.dTag) !== one.before', 'polled.get(one.dTag) === one.result.eventId'],
    ],
    test: [
      'test/sync/signer.test.ts',
      'gives no value that this process has replaced while the signer took its time',
    ],
  },
  {
    name: 'deduplicates before it verifies',
    patches: [
      [
        'sync/',
        'const check = checkEvent(value, { ...{ pubkey, isAsked, verifier }, known: newest.of',
        "const unverified = (value as { id?: string } | null)?.id ?? ''; if (early.has(unverified)) return 'useless'; early.add(unverified); const check = checkEvent(value, { ...{ pubkey, isAsked, verifier }, known: newest.of",
      ],
      [
        'sync/',
        'const { replica, pubkey, verifier } = ports;',
        'const { replica, pubkey, verifier } = ports; const early = new Set<string>();',
      ],
    ],
  },
  {
    name: 'a cursor of what was seen last, before it is verified',
    patches: [
      [
        'sync/',
        'const check = checkEvent(value, { ...{ pubkey, isAsked, verifier }, known: newest.of',
        'since = Math.max(since, Number((value as { created_at?: number } | null)?.created_at) || 0); const check = checkEvent(value, { ...{ pubkey, isAsked, verifier }, known: newest.of',
      ],
      [
        'sync/',
        'const { replica, pubkey, verifier } = ports;',
        'const { replica, pubkey, verifier } = ports; let since = 0;',
      ],
      [
        'sync/',
        'relay.request(request.filters,',
        'relay.request(request.filters.map((filter) => ({ ...filter, since })),',
      ],
    ],
  },
  {
    name: 'the d-tag is the one that was asked for',
    patches: [
      ['protocol/event.ts', 'if (dTag === undefined || !expected.isAsked(dTag))', 'if (dTag === undefined)'],
      [
        'sync/',
        'const { dTag, event } = check;',
        'const { event } = check; const dTag = dTags.includes(check.dTag) ? check.dTag : dTags[0]!;',
      ],
    ],
  },
  {
    name: 'any number of d-tags',
    patches: [['protocol/header.ts', 'return dTags.length === 1 ?', 'return dTags.length >= 1 ?']],
    test: ['test/protocol/header.test.ts', 'one d-tag or none'],
  },
  {
    name: 'no check of the author',
    patches: [['protocol/event.ts', 'if (event.pubkey !== expected.pubkey)', "if (event.pubkey === '')"]],
  },
  {
    name: 'no check of the id',
    patches: [
      ['protocol/event.ts', "if (expected.verifier.hash(event) !== event.id) return rejected('id');", ''],
    ],
  },
  {
    name: 'no check of the signature',
    patches: [
      [
        'protocol/event.ts',
        "if (!isCopy && !expected.verifier.verifySignature(event)) return rejected('signature');",
        'void isCopy;',
      ],
    ],
  },
  {
    name: 'says "absent" though no relay answered',
    patches: [
      [
        'sync/',
        'if (isFromAll(answers) || dTags.some((dTag) => replica.get(dTag)?.head !== undefined))',
        'if (dTags.length > 0)',
      ],
    ],
  },
  {
    name: 'takes a CLOSED for an answer',
    patches: [['relay/', "if (!isLive) return end('incomplete');", "if (!isLive) return end('complete');"]],
  },
  {
    name: 'one value that cannot be read fails all others',
    patches: [
      ['sync/', 'valueOf(dTag, source).catch(unlessUnreadable)', 'valueOf(dTag, source)'],
      ['sync/', '.catch(unlessUnreadable); return', '; void unlessUnreadable; return'],
    ],
    test: ['test/sync/reading.test.ts', 'the last good one stays, and it is reported once'],
  },
  {
    name: 'what cannot be read hides the last good value',
    patches: [
      [
        'sync/',
        'if (!isUnreadable(error)) throw error; for (const { event: older }',
        'if (isUnreadable(error)) throw error; for (const { event: older }',
      ],
    ],
    test: ['test/sync/reading.test.ts', 'the last good one stays, and it is reported once'],
  },
  {
    name: 'poll gives what this device wrote',
    patches: [['sync/', 'polled.set(dTag, id);', '']],
    test: [
      'test/sync/reading.test.ts',
      'gives the current values first, then only news, never what this device wrote',
    ],
  },
  {
    name: 'a blind write beats in silence what turns up',
    patches: [['sync/', 'record.own?.isBlind !== true ||', 'record.own?.isBlind !== undefined ||']],
    test: ['test/sync/conflict.test.ts', 'a first write in ignorance is told of what it beats'],
  },
  {
    name: 'a blind write tells again and again',
    patches: [['sync/', 'own: { ...record.own!, isBlind: false }', 'own: record.own!']],
    test: ['test/sync/conflict.test.ts', 'a first write in ignorance is told of what it beats'],
  },
  {
    name: 'each first write asks for itself',
    patches: [['sync/', 'question ??= openQuestion();', 'question = openQuestion();']],
    test: ['test/sync/publish.test.ts', 'a hundred first writes of one turn ask in a handful of REQs'],
  },
  {
    name: 'absent on the word of one relay',
    patches: [['sync/', 'if (isFromAll(answers) ||', 'if (answers.complete.length > 0 ||']],
  },
  {
    name: 'absent by impatience',
    patches: [['relay/pool.ts', 'incomplete: [...incomplete, ...open]', 'incomplete']],
  },
  {
    name: 'a mute relay makes what no relay has slow for ever',
    patches: [['relay/pool.ts', '!isLate || !mute.has(url)', 'true']],
    test: ['test/sync/hostile.test.ts', 'what nobody has by the EOSE deadline'],
  },
  {
    name: 'waits for the slowest relay',
    patches: [
      [
        'relay/pool.ts',
        "if (end === 'complete' && complete.push(url) === 1) after(SETTLE_MS,",
        "if (end === 'complete' && complete.push(url) === 1) after(SETTLE_MS * 1e3,",
      ],
    ],
    test: [
      'test/sync/relays.test.ts',
      'a slow one costs the settle time once, and its late answer still counts',
    ],
  },
  {
    name: 'a value that was never read takes the place of the last good one',
    patches: [
      ['sync/', 'former: formerOf(record, isHeadKept),', 'former: formerOf(record, isHeadKept).slice(0, 1),'],
    ],
    test: ['test/sync/reading.test.ts', 'stays where several that cannot be read come at once'],
  },
  {
    name: 'a value that was read does not take the place of the last good one',
    patches: [
      [
        'sync/',
        "current.head!.reading !== 'unreadable' && (current.former.length === 0 || isKnownReadable(current))",
        "current.head!.reading !== 'unreadable' && (current.former.length === 0 || !isKnownReadable(current))",
      ],
    ],
    test: ['test/sync/reading.test.ts', 'is the newest that was shown, also after a restart'],
  },
  {
    name: 'a restart forgets that a value was read',
    patches: [['sync/', 'reading: reading as Reading', "reading: 'unread'"]],
    test: ['test/sync/reading.test.ts', 'is the newest that was shown, also after a restart'],
  },
  {
    name: 'a removal counts as something that may be unreadable',
    patches: [
      ['sync/', "return reading === 'read' || isTombstone(event) ||", "return reading === 'read' ||"],
    ],
    test: ['test/sync/reading.test.ts', 'is none after a removal'],
  },
  {
    name: 'what is to end has ended an hour before',
    patches: [['protocol/header.ts', 'expiration <= nowSeconds', 'expiration - 3600 <= nowSeconds']],
  },
  {
    name: 'what has ended is given',
    patches: [
      [
        'sync/',
        'return isTombstone(event) || isExpired(event, nowSeconds(clock));',
        'return isTombstone(event);',
      ],
    ],
  },
  {
    name: 'what was removed is given, as removed',
    patches: [
      [
        'sync/',
        'return isTombstone(event) || isExpired(event, nowSeconds(clock));',
        'return isExpired(event, nowSeconds(clock));',
      ],
    ],
  },
  {
    name: 'what no relay has answered is told as of a relay',
    patches: [['sync/', "return answered.length > 0 ? 'relay' : 'local';", "return 'relay';"]],
  },
  {
    name: 'syncAll fails as "unknown" if one value is',
    patches: [['sync/', '|| dTags.some((dTag) =>', '|| dTags.every((dTag) =>']],
  },
  {
    name: 'updated tells a process what it wrote itself',
    patches: [
      [
        'sync/',
        'if (written.get(dTag) !== event.id && announced.get(dTag) !== event.id)',
        'if (announced.get(dTag) !== event.id)',
      ],
      ['sync/', 'if (advances.length > 0 || isBack) announce(dTag);', 'announce(dTag);'],
    ],
  },
  {
    name: 'a write that fails makes news of what was told before',
    patches: [
      [
        'sync',
        'if (hand.sizes() === sizes || left === 0) throw error;',
        "if (hand.sizes() === sizes || left === 0) { ports.onSaved(dTag, ''); throw error; }",
      ],
    ],
  },
  {
    name: 'a subscription is not told of what there was before the signer',
    patches: [
      ['sync/', 'for (const subscription of ports.subscriptions) telling.present(subscription);', ''],
    ],
  },
];

/** Sockets, AUTH, and what a relay may make us do. */
const RELAYS = [
  {
    name: 'does not reconnect after five failures',
    patches: [
      [
        'relay/',
        'cancelTimer = clock.after(ports.isOnline()',
        'if (failures <= 5) cancelTimer = clock.after(ports.isOnline()',
      ],
    ],
    test: ['test/relay/connection.test.ts', 'is tried again however often it fails'],
  },
  {
    name: 'the backoff starts again with each connection',
    patches: [
      [
        'relay/',
        'cancelStable = clock.after(STABLE_CONNECTION_MS, () => { failures = 0; });',
        'failures = 0; void STABLE_CONNECTION_MS;',
      ],
    ],
    test: [
      'test/relay/connection.test.ts',
      'starts again from its first pause only after 30 s of a stable connection',
    ],
  },
  {
    name: 'the backoff has no jitter',
    patches: [
      ['relay/backoff.ts', 'return randomFraction(randomBytes) * Math.min(', 'return 0.5 * Math.min('],
    ],
    test: ['test/relay/connection.test.ts', 'doubles up to a minute, and is jittered in full'],
  },
  {
    name: 'does not look for dead peers',
    patches: [['relay/', 'heard(); watch();', 'heard();']],
    test: ['test/relay/connection.test.ts', 'that is half-open is found out within 60 s'],
  },
  {
    name: 'a socket is not suspected after sleep',
    patches: [['relay/', "else if (state === 'open') liveness.suspect();", '']],
    test: ['test/relay/connection.test.ts', 'must prove within 5 s of waking up that it is alive'],
  },
  {
    name: 'an answer on an older connection counts',
    patches: [
      ['relay/', 'onMessage: (text) => current() && received(text)', 'onMessage: (text) => received(text)'],
    ],
    test: ['test/relay/misuse.test.ts', 'from an older connection does not answer for the new one'],
  },
  {
    name: 'a relay may send without end before its EOSE',
    patches: [['relay/', 'useless > maxUselessEvents(size)', 'useless > 1e9 * maxUselessEvents(size)']],
    test: ['test/relay/misuse.test.ts', 'of useless events is cut at 2n + 32 before EOSE'],
  },
  {
    name: 'another EOSE lets a relay begin again',
    patches: [['relay/', 'if (isComplete) return false;', 'count = newCount();']],
    test: [
      'test/sync/hostile.test.ts',
      'replays a hundred genuine old versions for ever costs no signature, and is asked less and less',
    ],
  },
  {
    name: 'what is below the head is verified before it is ignored',
    patches: [
      [
        'protocol/event.ts',
        'if (order < 0) return',
        "if (order < 0 && !expected.verifier.verifySignature(event)) return rejected('signature'); if (order < 0) return",
      ],
    ],
  },
  {
    name: 'the head under a bad signature counts as shown',
    patches: [['protocol/event.ts', 'order === 0 && event.sig === known!.sig', 'order === 0']],
    test: ['test/protocol/event.test.ts', 'that is the known one under a bad signature fails'],
  },
  {
    name: 'bad signatures are no verdict',
    patches: [['relay/', "if (verdict === 'signature') onBurden(STRAIN.forged);", '']],
    test: ['test/sync/hostile.test.ts', 'sends bad signatures without end is hung up on for long'],
  },
  {
    name: 'news that was not asked for costs a relay nothing',
    patches: [['relay/', 'if (!isAsked) onBurden(STRAIN.verified);', '']],
    test: ['test/relay/misuse.test.ts', 'of genuine news that was not asked for makes us hang up'],
  },
  {
    name: 'a question without EOSE waits for ever',
    patches: [['relay/', "() => resend('no EOSE in time')", '() => undefined']],
    test: ['test/relay/connection.test.ts', 'without EOSE ends by its deadline'],
  },
  {
    name: 'a relay counts as connected before its socket is open',
    patches: [['relay/', 'connected: isOpen()', "connected: state !== 'waiting'"]],
  },
  {
    name: 'a request outlives its connection',
    patches: [['relay/', "if (!isLive) end(sentAt === 0 ? 'unreached' : 'incomplete');", '']],
    test: [
      'test/relay/connection.test.ts',
      'ends incomplete with the connection, and unreached if there is none',
    ],
  },
  {
    name: 'a sent event waits for its OK for ever',
    patches: [
      [
        'relay/',
        "const cancel = clock.after(OK_TIMEOUT_MS, () => settle({ type: 'retry', reason: 'no answer in time' }));",
        'const cancel = nothing;',
      ],
    ],
  },
  {
    name: 'frames may be of any size',
    patches: [['relay/', 'if (text.length > MAX_FRAME_BYTES)', 'if (text.length > 1e9 * MAX_FRAME_BYTES)']],
    test: ['test/relay/misuse.test.ts', 'a frame over 262,144 bytes ends the connection, one below does not'],
  },
  {
    name: 'an AUTH without an answer is never tried again',
    kept: 'auth-unanswered',
    patches: [
      [
        'relay/auth.ts',
        'cancelTimer = clock.after(OK_TIMEOUT_MS, () => {',
        'cancelTimer = clock.after(OK_TIMEOUT_MS, () => { if (eventId !== undefined) return;',
      ],
    ],
  },
  {
    name: 'what a relay answers a stranger counts as complete',
    patches: [['relay/', 'if (auth.isOpen()) {', 'if (false) {']],
  },
  {
    name: 'restricted before AUTH is final',
    patches: [['relay/', "(prefix === 'restricted' && isOpen())", 'false']],
    test: ['test/relay/auth.test.ts', 'and is restricted to strangers gets it'],
  },
  {
    name: 'a signer that says no to AUTH is asked for ever',
    patches: [['relay/auth.ts', 'if (isDeclined) return ports.onRefused();', '']],
    test: ['test/relay/auth.test.ts', 'is refused once by a signer that says no'],
  },
  {
    name: 'AUTH names the canonical URL',
    patches: [['relay/', 'url: spelling,', 'url,']],
    test: ['test/relay/auth.test.ts', 'is told the URL as it was spelled'],
  },
  {
    name: 'a prefix behind ERROR: is not found',
    patches: [['protocol/answer.ts', '/^(?:error: *)?([a-z-]+):/i', '/^([a-z-]+):/i']],
    test: ['test/relay/auth.test.ts', 'is understood behind'],
  },
  {
    name: 'signs every AUTH that a relay asks for, refused or not',
    patches: [
      ['relay/auth.ts', "challenge === undefined || state !== 'required'", 'challenge === undefined'],
    ],
    test: ['test/relay/auth.test.ts', 'but refuses nothing is told nothing'],
  },
  {
    name: 'AUTH answers a challenge that is not the newest',
    patches: [
      [
        'relay/auth.ts',
        'if (mine !== generation || challenge !== answering) return authenticate();',
        'if (mine !== generation) return authenticate();',
      ],
    ],
    test: [
      'test/relay/auth.test.ts',
      'sends a newer challenge while the first is being signed gets an answer to the newer alone',
    ],
  },
];

/** The signer. */
const SIGNER = [
  {
    name: 'a signer gets the template itself',
    patches: [['sync/', 'tags: tags.map((tag) => [...tag])', 'tags: tags as string[][]']],
    test: ['test/sync/asking.test.ts', 'edits its template, a tag, signs nothing for us'],
  },
  {
    name: 'what a signer has encrypted is never read back',
    patches: [['sync/', 'await readBack(plaintext, ciphertext, asking);', '']],
    test: ['test/sync/asking.test.ts', 'to encrypt alone: the write is SIGNER_CHANGED'],
  },
  {
    name: 'whose account it is is not asked around an encryption',
    patches: [['sync/', 'return isLocal() || (await', 'return call !== undefined || (await']],
    test: ['test/sync/asking.test.ts', 'for all but to sign: the write is SIGNER_CHANGED'],
  },
  {
    name: 'a signer is trusted for good',
    patches: [['sync/', 'Math.abs(clock.now() - provenAt) < SIGNER_TRUST_MS', 'provenAt > 0']],
    test: [
      'test/sync/asking.test.ts',
      'the first ciphertext of a session is read back, and the first after a pause',
    ],
  },
  {
    name: 'what replaced it is forgotten though the own value was never read',
    patches: [['sync/', 'record.own!.acknowledged && isKnownReadable(record)', 'record.own!.acknowledged']],
    test: [
      'test/sync/asking.test.ts',
      'a value that its own writer cannot read leaves the one before it in its place, everywhere',
    ],
  },
  {
    name: 'two writes that cannot be read leave nothing to show',
    patches: [
      ['sync/', 'if (isKnownReadable(record!)) return [head];', 'if (record !== undefined) return [head];'],
    ],
    test: [
      'test/sync/asking.test.ts',
      'each of several values that its own writer cannot read leaves the one before it in its place',
    ],
  },
  {
    name: 'a removal is what is left beneath writes that nobody can read',
    patches: [['sync/', '[lasting ?? older[0]]', '[older[0]]']],
    test: [
      'test/sync/asking.test.ts',
      'several values that nobody can read leave what was written after a removal',
    ],
  },
  {
    name: 'an own write that was never read is dropped for what another device writes',
    patches: [
      [
        'sync/',
        'former: formerOf(record, isHeadKept),',
        'former: formerOf(record, isHeadKept && isKnownReadable(record!)),',
      ],
    ],
    test: [
      'test/sync/asking.test.ts',
      'a write that nobody has read stays between those of another device that nobody can read',
    ],
  },
  {
    name: 'what a signer fails to read that tells no account either counts as unreadable',
    patches: [['sync/', "throw isNostrSyncError(other, 'SIGNING_FAILED') ? error : other;", 'throw other;']],
    test: [
      'test/sync/asking.test.ts',
      'by a signer that tells no account either says nothing about the value, and leaves it before one that nobody can read',
    ],
  },
  {
    name: 'what its signer has read back counts as unread',
    patches: [['sync/', 'isLocal() || ciphertext === proven', 'isLocal()']],
    test: [
      'test/sync/asking.test.ts',
      'a write that its signer has read back stays between those of another device that nobody can read',
    ],
  },
  {
    name: 'a signer may say any time that is later',
    patches: [
      [
        'sync/',
        '(kind === KIND_DELETION ? 0 : MAX_LATE_SECONDS)',
        '(kind === KIND_DELETION ? 0 : MAX_LATE_SECONDS * 1e6)',
      ],
    ],
    test: ['test/sync/asking.test.ts', 'says its own time, a minute later'],
  },
  {
    name: 'a write that was signed late is not known by its vector',
    patches: [['sync/', 'vectorOf(event)?.get(device) ?? event.created_at', 'event.created_at']],
    test: ['test/sync/asking.test.ts', 'says its own time, a few seconds later'],
  },
  {
    name: 'a signer is asked for as long as something newer comes in',
    patches: [['sync/', 'lap < MAX_LAPS; lap++', 'lap < MAX_LAPS * 1e6; lap++']],
    test: [
      'test/sync/asking.test.ts',
      'is asked a handful of times where something newer comes in each time',
    ],
  },
  {
    name: 'a refusal for size teaches nothing',
    patches: [['sync/', 'learned = Math.min(before + 1, SIZES.length - 1);', 'learned = before;']],
    test: [
      'test/sync/asking.test.ts',
      'finds a text too large to encrypt is given smaller ones, and remembered',
    ],
  },
  {
    name: 'what the relays of a bunker say of a size is not heard',
    patches: [['sync/', 'Array.isArray(errors) ? errors : [cause]', '[cause]']],
    test: [
      'test/interop/bunker.test.ts',
      'is given smaller pieces where its relay finds a question too large',
    ],
  },
  {
    name: 'a decryption that was refused is not tried again',
    patches: [['sync/', 'if (count < MAX_READS) agenda.put(', 'if (count < 0) agenda.put(']],
    test: ['test/sync/asking.test.ts', '(refused) is tried again, and the subscription gets the value'],
  },
  {
    name: 'a decryption that is refused is tried for ever',
    patches: [['sync/', 'if (count < MAX_READS) agenda.put(', 'if (count > 0) agenda.put(']],
    test: ['test/sync/asking.test.ts', 'is DECRYPTION_FAILED to who asked'],
  },
  {
    name: 'an empty text is a text',
    patches: [
      ['sync/', "typeof plaintext !== 'string' || plaintext === ''", "typeof plaintext !== 'string'"],
    ],
    test: ['test/sync/asking.test.ts', '(empty) is tried again, and the subscription gets the value'],
  },
  {
    name: 'what turned readable is told to who asked alone',
    patches: [['sync/', 'if (unread.delete(event.id)) ports.onReadable(dTag);', 'unread.delete(event.id);']],
    test: ['test/sync/asking.test.ts', 'is DECRYPTION_FAILED to who asked'],
  },
  {
    name: 'a text that is no value is kept',
    patches: [
      [
        'sync/',
        'const payload = decodePayload(text); remember(texts, event.id, text); return payload;',
        'remember(texts, event.id, text); return decodePayload(text);',
      ],
    ],
    test: ['test/sync/asking.test.ts', 'leaves nothing behind that is no value'],
  },
  {
    name: 'a provider is asked many things at once',
    patches: [['signer/turns.ts', 'if (line.holder !== undefined) return;', '']],
    test: ['test/sync/asking.test.ts', 'twelve values come from an extension that refuses parallel calls'],
  },
  {
    name: 'AUTH waits for its turn',
    patches: [['signer/turns.ts', 'line.waiting.findIndex((other) => !other.isUrgent)', '-1']],
    test: ['test/sync/asking.test.ts', 'AUTH goes before what waits'],
  },
  {
    name: 'a popup that was closed holds all others up',
    patches: [
      [
        'sync/',
        'cancel = clock.after(SIGNER_TURN_MS, () => { leave();',
        'cancel = clock.after(SIGNER_TURN_MS, () => {',
      ],
    ],
    test: ['test/sync/asking.test.ts', 'AUTH goes before what waits'],
  },
  {
    name: 'the signal of publish is not heard before its save',
    patches: [['sync/', 'settler.reject(settler.write.signal?.reason as Error);', '']],
    test: ['test/sync/asking.test.ts', 'the signal of its caller is heard at once: publish'],
  },
  {
    name: 'the signal of fetch is not heard',
    patches: [['engine/', "signal.addEventListener('abort', abort); promise", 'promise']],
    test: ['test/sync/asking.test.ts', 'the signal of its caller is heard at once: fetch'],
  },
  {
    name: 'what an aborted call wrote is written for others',
    patches: [
      [
        'sync/',
        'if (isItsWrite) draft.abandon.abort();',
        'if (draft.settlers.length === 0) draft.abandon.abort();',
      ],
    ],
    test: ['test/sync/asking.test.ts', 'an abort settles its own call alone'],
  },
  {
    name: 'a newer write waits for a hanging signer',
    patches: [['sync/', 'current.abandon.abort();', '']],
    test: ['test/sync/asking.test.ts', 'a newer write of the category does not wait for it to the end'],
  },
  {
    name: 'a start that failed waits for a call',
    patches: [['engine/', 'if (isClosed()) return; cancelRetry();', 'return; cancelRetry();']],
    test: ['test/sync/asking.test.ts', 'for a busy store is made good by itself'],
  },
  {
    name: 'a person who said no is asked for ever',
    patches: [
      [
        'engine/',
        "if (!isNostrSyncError(error, 'SIGNING_FAILED') || failures < MAX_READS) startFailed();",
        'startFailed();',
      ],
    ],
    test: ['test/sync/asking.test.ts', 'because a person said no is tried a few times'],
  },
  {
    name: 'close leaves the key in memory',
    patches: [['nostr-sync.ts', 'signing.wipe(signing.drop());', 'signing.drop();']],
    test: ['test/sync/asking.test.ts', 'is wiped by close, and where another signer is set'],
  },
  {
    name: 'keepSigner is not heeded',
    patches: [['engine/', 'if (!ports.keepSigner) former?.wipe?.();', 'former?.wipe?.();']],
    test: ['test/sync/asking.test.ts', 'stays with keepSigner'],
  },
  {
    name: 'clearSigner leaves the signer at work',
    patches: [['engine/', 'ports.session()?.setSigner(undefined);', '']],
  },
  {
    name: 'what a signer gives after it was cleared is used',
    patches: [
      ['sync/', 'if (current() !== signer) throw notSet(what); return result;', 'return result;'],
      ['sync/', 'drops.add(drop);', 'void drop;'],
    ],
    test: ['test/sync/signer.test.ts', 'a call that was under way is dropped, and publishes nothing'],
  },
  {
    name: 'a signer that was replaced is said to have failed',
    kept: 'signer-replaced-while-asked',
    patches: [['engine/', '.finally(check)', '']],
  },
  {
    name: 'a hanging signer is waited for after it was dropped',
    kept: 'signer-hangs-at-close',
    patches: [['sync/', 'drops.add(drop);', 'void drop;']],
  },
  {
    name: 'a hanging signer is waited for for ever',
    patches: [
      [
        'sync/',
        'cancel = clock.after(SIGNER_TIMEOUT_MS - SIGNER_TURN_MS, () =>',
        'cancel = clock.after(SIGNER_TIMEOUT_MS * 1e3, () =>',
      ],
    ],
    test: ['test/sync/signer.test.ts', 'hangs is not waited for for ever'],
  },
  {
    name: 'publishes what the signer did not encrypt',
    patches: [
      ['sync/', 'ciphertext.length === encryptedLength(plaintext) &&', 'encryptedLength(plaintext) > 0 &&'],
      ['sync/', '/^A[g-v][A-Za-z0-9+/]+=*$/.test(ciphertext)', 'true'],
    ],
    test: ['test/sync/signer.test.ts', 'does not encrypt fails with ENCRYPTION_FAILED'],
  },
  {
    name: 'believes any event that the signer returns',
    patches: [['sync/', 'if (!isOurs) {', 'if (!isOurs && event === undefined) {']],
    test: ['test/sync/signer.test.ts', 'adds a tag fails with SIGNING_FAILED'],
  },
  {
    name: 'the signature of the own signer is not verified',
    patches: [['sync/', '&& verifier.verifySignature(event);', ';']],
    test: ['test/sync/signer.test.ts', 'gives a bad signature fails with SIGNING_FAILED'],
  },
  {
    name: 'an engine that is closed at once tells of it as an error',
    patches: [
      [
        'nostr-sync.ts',
        'if (isNostrSyncError(error) && closing === undefined)',
        'if (isNostrSyncError(error))',
      ],
    ],
    test: ['test/sync/arguments.test.ts', 'an engine that is closed at once has no error to tell'],
  },
];

/** What the platform says of the network. */
const CONNECTIVITY = [
  {
    name: 'connections outlive the network',
    patches: [['nostr-sync.ts', 'if (isLost) pool.lose();', 'if (isLost && clock.now() < 0) pool.lose();']],
    test: ['test/sync/status.test.ts', 'offline, nothing is ready from that moment on'],
  },
  {
    name: 'without a network relays are tried as ever',
    patches: [['relay/', 'ports.isOnline() ? delayMs : OFFLINE_RETRY_MS', 'delayMs']],
    test: ['test/sync/status.test.ts', 'offline, nothing is ready from that moment on'],
  },
  {
    name: 'what one relay has counts as pending',
    patches: [
      ['sync/', 'record.own?.acknowledged === true', 'Number.isNaN(record.own?.stamp)'],
      [
        'sync/',
        "return stageOf(record, relays) === 'saved';",
        "return stageOf(record, relays) !== 'replicated';",
      ],
    ],
    test: [
      'test/sync/status.test.ts',
      'a change that one relay has waits for the others, and is not pending',
    ],
  },
];

/** Several tabs on one store. */
const TABS = [
  {
    name: 'no tab takes the place of a leader that sleeps',
    patches: [['sync/', 'ports.onSilence();', '']],
  },
  {
    name: 'a leader that has lost its place takes its writes for uncarried',
    patches: [['sync/', 'ports.isAlone || mark === ours', 'ports.isAlone || ours !== null']],
    test: [
      'test/sync/tabs.test.ts',
      'a leader that finds in the store that another leads sends nothing more, and uses no stamp again',
    ],
  },
  {
    name: 'a leader that has lost its place sends what the new one has written',
    patches: [['sync/', 'if (sender.hasLed()) sender.look(await store.get(keys.leader));', '']],
    test: [
      'test/sync/tabs.test.ts',
      'a leader that finds in the store that another leads sends nothing of what that one writes offline',
    ],
  },
  {
    name: 'a leader that has lost its place stays connected',
    patches: [['sync/', 'ports.shut();', '']],
    test: [
      'test/sync/tabs.test.ts',
      'a leader that wakes up sends nothing that the new one has written, and uses no stamp again',
    ],
  },
  {
    name: 'a status is what a leader said that sleeps since',
    patches: [
      [
        'sync/',
        'list.told() === undefined || silence.isFresh() ||',
        'list.told() === undefined || !silence.isFresh() ||',
      ],
    ],
    test: ['test/sync/tabs.test.ts', 'a status is not what a leader said that has been suspended since'],
  },
  {
    name: 'a tab leaves its wait to reload behind',
    kept: 'tab-closed-before-reload',
    patches: [['sync/', 'isClosed = true; cancelRetry();', 'isClosed = true;']],
  },
  {
    name: 'a tab that begins to lead does not reload',
    patches: [
      [
        'sync/',
        "await reload(); if (isClosed() || leadership.lock() === 'none'",
        "if (isClosed() || leadership.lock() === 'none'",
      ],
    ],
    test: [
      'test/sync/tabs.test.ts',
      'what a leader saved and could not tell before it died is delivered by the next',
    ],
  },
  {
    name: 'a late save is not told to the other tabs',
    patches: [
      [
        'sync/',
        'carryOut(jobs, planned, true, (dTag) => planned.texts.get(dTag) !== stored.get(dTag));',
        'carryOut(jobs, planned, true, (dTag) => planned.decided.get(dTag)!.record !== planned.decided.get(dTag)!.previous);',
      ],
    ],
    test: [
      'test/sync/tabs.test.ts',
      'what the leader could not save at first is told to the others once it is saved',
    ],
  },
  {
    name: 'a tab reads what it was told, not what the store has',
    kept: 'tab-reads-before-it-was-told',
    patches: [
      [
        'sync/',
        "await Promise.all([ports.network().ask(dTags, 'known'), lookInStore(dTags)]);",
        "await Promise.all([ports.network().ask(dTags, 'known')]);",
      ],
    ],
  },
  {
    name: 'what another tab has replaced is told of as unreadable',
    kept: 'replaced-by-another-tab-while-read',
    patches: [['sync/', 'await ports.lookInStore([dTag]);', '']],
  },
  {
    name: 'a tab is not told of what another has found the pieces of',
    kept: 'pieces-found-by-another-tab',
    patches: [['sync/', '(head.id === mine?.id && !isFound)', 'head.id === mine?.id']],
  },
  {
    name: 'a tab forgets what is gone from the store',
    patches: [
      ['sync/', 'if (text !== undefined && cache.textOf(dTag) !== text)', 'if (cache.textOf(dTag) !== text)'],
    ],
    test: ['test/sync/tabs.test.ts', 'a store that is emptied or fails takes nothing from a tab that reads'],
  },
  {
    name: 'a tab tells a conflict with what has seen the write',
    kept: 'no-conflict-with-what-has-seen-it',
    patches: [
      [
        'sync/',
        'own?.lost === true && isLostTo(mine, own, head);',
        'own?.lost === true && own.id === mine?.id;',
      ],
      [
        'sync/',
        'conflicts.find(({ mine }) => isLostTo(mine, record.own, head))',
        'conflicts.find(({ mine }) => mine.id === record.own?.id)',
      ],
    ],
  },
  {
    name: 'of several that came together one that was overwritten makes a conflict',
    patches: [
      [
        'sync/',
        'conflicts.find(({ mine }) => isLostTo(mine, record.own, head))',
        'conflicts.find(({ mine }) => mine.id === own?.id)',
      ],
    ],
    test: ['test/sync/conflict.test.ts', 'where several come together the newest decides'],
  },
  {
    name: 'a write that another tab withdraws is a conflict',
    kept: 'no-conflict-with-what-was-withdrawn',
    patches: [['sync/', 'mine !== undefined && compareEvents(head, mine) > 0', 'mine !== undefined']],
  },
];

/** Values in pieces, written. */
const PIECES_OUT = [
  {
    name: 'a piece that goes on is taken to be there still',
    patches: [['sync/', 'piece === witness', 'piece.stamp < 0 && piece === witness']],
    test: ['test/sync/large.test.ts', 'a second ago all of it is sent in the end'],
    kept: 'wiped-before-an-edit',
  },
  {
    name: 'the manifest goes out with its pieces, not after them',
    patches: [
      [
        'sync',
        'queue.unschedule(headItem(dTag)); scheduled.set(dTag, items);',
        'queue.scheduleOnce(headItem(dTag), record.event!.id); scheduled.set(dTag, items);',
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'between any two pieces leaves the older value readable, and goes on after its restart without a signer',
    ],
  },
  {
    name: 'a piece that one relay has counts for all',
    patches: [
      [
        'sync/',
        'pieces.map((piece) => piece.deliveries.get(relay))',
        'pieces.map((piece) => [...piece.deliveries.values()][0])',
      ],
      [
        'sync',
        'filter(({ deliveries }) => !deliveries.has(relay))',
        "filter(({ deliveries }) => deliveries.size === 0 && relay !== '')",
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'that shows a value without some of its pieces gets them from whoever has read it',
    ],
  },
  {
    name: 'shared pieces are taken for granted',
    patches: [['sync', 'return !isShared || (lately', 'return !isShared || pieces.length > 0 || (lately']],
    test: ['test/sync/large.test.ts', 'an hour ago all of it is sent again, and the manifest last'],
  },
  {
    name: 'pieces are saved apart from their head',
    patches: [
      [
        'sync/',
        'return planned.writes;',
        "const isMade = ([key, text]: readonly [string, string | null]) => key.startsWith('piece/') && text !== null; void ports.store.update([], () => new Map([...planned.writes].filter(isMade))).catch(() => undefined); return new Map([...planned.writes].filter((one) => !isMade(one)));",
      ],
    ],
    kept: 'power-lost-between-pieces-and-head',
  },
  {
    name: 'pieces of former values stay in the store',
    patches: [['sync/', 'kept.has(name) ? [] : [name]', 'kept.has(name) ? [] : []']],
  },
  {
    name: 'pieces of the value before go while it may still be needed',
    patches: [
      [
        'sync/',
        'const { head, former = [] } = record ?? {};',
        'const { former = [] } = record ?? {}; const head = record?.head && { ...record.head, pieces: undefined };',
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'alone that refuses a newer value: the older one and its pieces are still on the device',
    ],
  },
  {
    name: 'pieces of a value that was replaced are sent all the same',
    patches: [
      [
        'sync',
        'queue.unschedule(item); if (pieces.has(name)) continue;',
        'if (pieces.has(name) || !pieces.has(name)) continue;',
      ],
      ['sync', 'replica.get(dTag)?.head?.pieces?.some((one) => one.name === name) === true', 'true'],
      ['sync/', 'kept.has(name) ? [] : [name]', 'kept.has(name) ? [] : []'],
    ],
    test: [
      'test/sync/large.test.ts',
      'that is made while the value before is on its way drops the pieces that were not sent yet',
    ],
  },
  {
    name: 'each version has a chunk key of its own',
    patches: [
      [
        'protocol/chunks.ts',
        'base === undefined ? ports.randomBytes(32) : hexToBytes(base.key)',
        'base === null ? hexToBytes(base.key) : ports.randomBytes(32)',
      ],
    ],
    test: ['test/sync/large.test.ts', 'sends the pieces that changed and nothing else'],
  },
  {
    name: 'cuts depend on the place that they are counted from',
    patches: [['protocol/chunks.ts', 'if (leastIn(at - reach, at + reach + 1) !== at) continue;', '']],
    test: [
      'test/protocol/cuts.test.ts',
      'meet again: of 1 KB in 200 KB a tenth at most is new, and in 99 of 100 edits two pieces at most',
    ],
  },
  {
    name: 'pieces are not read back',
    patches: [
      ['sync/', 'if (names.length > 0)', 'if (names.length < 0)'],
      ['sync/', "return states.includes('acknowledged') ? 'acknowledged' : delivery;", 'return delivery;'],
    ],
    test: ['test/sync/large.test.ts', 'that says OK to a piece and loses it is found out, and sent it again'],
  },
  {
    name: 'a destroyed piece is not made again',
    patches: [['sync', 'if (made.size > 0) await', 'if (made.size < 0) await']],
    test: ['test/sync/large.test.ts', 'that a relay has destroyed are made anew by whoever has them'],
  },
  {
    name: 'pieces that are still needed are collected',
    patches: [['sync/', 'for (const { name } of kept) all.delete(name);', 'void kept;']],
    test: ['test/sync/large.test.ts', 'are collected: few are left after many updates'],
  },
  {
    name: 'pieces are collected while a relay has not got the newer value',
    patches: [
      [
        'sync',
        "isWhole(record.head) && stageOf(record, ports.relays()) === 'replicated'",
        "isWhole(record.head) && stageOf(record, ports.relays()) !== 'saved'",
      ],
    ],
    test: ['test/sync/large.test.ts', 'are kept while a relay has not got the removal'],
  },
  {
    name: 'pieces are collected at once',
    patches: [
      [
        'sync',
        'at: since + factor * (i < surplus ? MIN_ORPHAN_MS : ORPHAN_MS)',
        'at: since + factor * (i < surplus ? MIN_ORPHAN_MS : ORPHAN_MS) * 0',
      ],
    ],
    test: ['test/sync/large.test.ts', 'are kept for days'],
  },
  {
    name: 'tombstones of pieces stay for ever',
    patches: [
      [
        'protocol/header.ts',
        "isRemoval: true }), ...tagIf('expiration', expiration)]",
        'isRemoval: true })]',
      ],
      ['sync', 'ids: buried.map(({ id }) => id), expiration,', 'ids: buried.map(({ id }) => id),'],
    ],
    test: ['test/sync/large.test.ts', 'are collected: few are left after many updates'],
  },
  {
    name: 'a restart forgets the pieces of the own head',
    patches: [['sync/', 'pieces: readPieces(pieces),', 'pieces: undefined,']],
  },
];

/** Values in pieces, read. */
const PIECES_IN = [
  {
    name: 'a piece is encrypted under the chunk key itself, which names it',
    patches: [
      [
        'protocol/chunks.ts',
        'return primitives.hmacSha256(PIECE_LABEL, hexToBytes(key));',
        'void primitives; return hexToBytes(key);',
      ],
    ],
    test: ['test/protocol/chunks.test.ts', 'is encrypted under the key of the manifest'],
  },
  {
    name: 'a piece is not encrypted',
    patches: [
      [
        'protocol/chunks.ts',
        'return encrypt(ports.primitives, text, key, ports.randomBytes(NONCE_BYTES));',
        'void key; return text;',
      ],
      [
        'protocol/chunks.ts',
        'const text = decrypt(primitives, content, pieceKeyOf(manifest, primitives));',
        'const text = content;',
      ],
    ],
  },
  {
    name: 'a piece may be other than its name says',
    patches: [
      [
        'protocol/chunks.ts',
        'if (nameOf(primitives, hexToBytes(manifest.key), bytes) !== name)',
        'if (nameOf(primitives, hexToBytes(manifest.key), bytes) === name && name.length === 0)',
      ],
    ],
    test: ['test/protocol/chunks.test.ts', 'is not made of bytes that are not what the names say'],
  },
  {
    name: 'size and hash of the whole are not looked at',
    patches: [
      [
        'protocol/chunks.ts',
        'if (at !== bytes.length || primitives.sha256Hex(text) !== manifest.sha256)',
        'if (at < 0)',
      ],
    ],
    test: ['test/protocol/chunks.test.ts', 'nor of other than the manifest says'],
  },
  {
    name: 'what there is of a value is shown',
    patches: [
      ['sync', 'if (bytes.size < names.length) {', 'if (bytes.size === 0) {'],
      [
        'protocol/chunks.ts',
        'const piece = pieces.get(name)!;',
        'const piece = pieces.get(name) ?? new Uint8Array();',
      ],
      [
        'protocol/chunks.ts',
        'if (at !== bytes.length || primitives.sha256Hex(text) !== manifest.sha256)',
        'if (at < 0)',
      ],
      [
        'protocol/chunks.ts',
        'const text = decoder.decode(bytes);',
        'const text = decoder.decode(bytes.subarray(0, at));',
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'everywhere leave the older value shown, or a clear error; once they come, the value is',
    ],
  },
  {
    name: 'what is incomplete counts as unreadable',
    patches: [['sync/', "['SIGNER_NOT_SET', 'INCOMPLETE', ", "['SIGNER_NOT_SET', "]],
    test: [
      'test/sync/large.test.ts',
      'everywhere leave the older value shown, or a clear error; once they come, the value is',
    ],
  },
  {
    name: 'INCOMPLETE is not told',
    patches: [
      [
        'sync/',
        "if (isNostrSyncError(cause, 'INCOMPLETE') && !isOutdated && !reported.has(id)) {",
        "if (isNostrSyncError(cause, 'INCOMPLETE') && isOutdated && !reported.has(id)) {",
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'everywhere leave the older value shown, or a clear error; once they come, the value is',
    ],
  },
  {
    name: 'what is incomplete is built upon',
    patches: [
      [
        'sync/',
        "return isWhole(version) && version!.reading !== 'unreadable';",
        "return version !== undefined && version.reading !== 'unreadable';",
      ],
    ],
    test: ['test/sync/large.test.ts', 'of a newer value do not stop writing, and the writer is told'],
  },
  {
    name: 'a slow relay is asked again at every change of what it is asked about',
    patches: [['sync/', 'if (!audit.isAsking(dTag)) audit.put(dTag, 0);', 'audit.put(dTag, 0);']],
    test: [
      'test/sync/relays.test.ts',
      'a slow one that was added is asked once what it has, whatever the others say meanwhile',
    ],
  },
  {
    name: 'whoever waited for the store to be tried again comes last',
    patches: [['engine/', 'return opening;', 'return settled();']],
    test: [
      'test/sync/store-failure.test.ts',
      'calls keep their order, also if the store is opened again between them',
    ],
  },
  {
    name: 'what turned up under a held write that is withdrawn is not told',
    patches: [
      [
        'sync/',
        'if (advances.length > 0 || isBack) announce(dTag);',
        'if (advances.length > 0) announce(dTag);',
      ],
    ],
    test: [
      'test/sync/publish.test.ts',
      'what turned up under a first write that every relay refuses is told',
    ],
  },
  {
    name: 'what a tab had changed of its relays before it led is said again after it',
    patches: [['sync/', 'unconfirmed.clear();', '']],
    test: ['test/sync/tabs.test.ts', 'what a tab had changed before it led is old once it has led'],
  },
  {
    name: 'what is incomplete is sent on',
    patches: [
      [
        'sync/',
        "record !== undefined && isWhole(record.head) && deliveryOf(record, relay) === 'pending'",
        "record !== undefined && deliveryOf(record, relay) === 'pending'",
      ],
    ],
  },
  {
    name: 'missing pieces are not asked for again',
    patches: [
      [
        'sync',
        'value.cancelRetry = clock.after(doublingMs(value.failures++), () => again(value, dTag));',
        'void delayMs;',
      ],
    ],
    test: [
      'test/sync/large.test.ts',
      'everywhere leave the older value shown, or a clear error; once they come, the value is',
    ],
  },
  {
    name: 'only the first relay is asked for pieces',
    patches: [
      [
        'sync',
        'if (names.length === 0 || isOver()) return;',
        'if (names.length === 0 || isOver() || asked.length > 0) return;',
      ],
    ],
    test: ['test/sync/large.test.ts', 'on one relay come from the others, in any combination'],
  },
  {
    name: 'a stored piece is believed unseen',
    patches: [
      [
        'sync/',
        "return check.type === 'new' ? check.event : undefined;",
        "return check.type === 'new' ? check.event : (JSON.parse(text) as VerifiedEvent);",
      ],
    ],
    test: ['test/sync/large.test.ts', 'is not taken from the store, nor sent from it'],
  },
  {
    name: 'what the store has lost is lost',
    patches: [
      [
        'sync',
        "await replica.apply(dTag, { type: 'torn', id: event.id }); return assembly.textOf(event, dTag);",
        "throw new Error('a piece is lost');",
      ],
    ],
    test: ['test/sync/large.test.ts', 'comes from the relays'],
  },
  {
    name: 'a piece inflates without end',
    patches: [
      [
        'protocol/chunks.ts',
        'Math.min(manifest.size, MAX_PIECE_BYTES)',
        'Infinity + Math.min(manifest.size, MAX_PIECE_BYTES)',
      ],
    ],
    test: [
      'test/protocol/chunks.test.ts',
      'is not made of a piece that inflates to more than a piece may have, or than the whole',
    ],
  },
  {
    name: 'a deflated value inflates without end',
    patches: [
      [
        'protocol/chunks.ts',
        'base64Decode(text.slice(1, -1)), MAX_PAYLOAD_BYTES)',
        'base64Decode(text.slice(1, -1)), Infinity)',
      ],
    ],
    test: ['test/sync/large.test.ts', 'is UNDECODABLE where it inflates to more than any value may have'],
  },
  {
    name: 'a relay that shows the manifest has the pieces',
    patches: [['sync/', 'lacking.get(relay)?.has(name) !== true', "typeof relay === 'string'"]],
    test: [
      'test/sync/large.test.ts',
      'that shows a value without some of its pieces gets them from whoever has read it',
    ],
  },
];

export const MUTANTS = [
  ...STAMPS,
  ...STORE,
  ...OUTBOX,
  ...RENEWAL,
  ...INBOX,
  ...RELAYS,
  ...SIGNER,
  ...CONNECTIVITY,
  ...TABS,
  ...PIECES_OUT,
  ...PIECES_IN,
];
