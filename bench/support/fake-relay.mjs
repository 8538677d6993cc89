/** Sockets without a network and without a relay's own cost: what is measured is the engine alone. */

/**
 * @param {(filters: any[]) => string[]} answer
 *
 * `answer(filters)` gives the frames' event texts for a REQ, which come with EOSE in one later turn. `opened` holds the
 * handlers of the sockets and the ids of their REQs, for whoever wants to send more.
 */
export function createFakeRelay(answer = () => []) {
  const opened = [];
  return {
    opened,
    openSocket: (_url, handlers) => {
      const socket = { handlers, requests: [], sent: 0, isOpen: false };
      opened.push(socket);
      setImmediate(() => {
        socket.isOpen = true;
        handlers.onOpen();
      });
      return {
        bufferedAmount: () => 0,
        send: (text) => {
          socket.sent += text.length;
          const [type, id, ...filters] = JSON.parse(text);
          if (type === 'EVENT')
            setImmediate(() => socket.isOpen && handlers.onMessage(`["OK","${id.id}",true,""]`));
          if (type !== 'REQ') return;
          socket.requests.push({ id, filters });
          setImmediate(() => {
            for (const event of answer(filters))
              if (socket.isOpen) handlers.onMessage(`["EVENT","${id}",${event}]`);
            if (socket.isOpen) handlers.onMessage(`["EOSE","${id}"]`);
          });
        },
        ping: () => setImmediate(() => handlers.onPong()),
        close: () => {
          if (!socket.isOpen) return;
          socket.isOpen = false;
          setImmediate(() => handlers.onClose('closed'));
        },
      };
    },
  };
}

/** A relay that holds these events and finds them by d-tag in constant time. */
export function createIndexedRelay(events) {
  const byDTag = new Map(events.map((event) => [event.tags[0][1], JSON.stringify(event)]));
  return createFakeRelay((filters) =>
    filters.flatMap((filter) =>
      (filter['#d'] ?? []).map((dTag) => byDTag.get(dTag)).filter((text) => text !== undefined),
    ),
  );
}
