// A relay for the users of one app, on khatru: kinds 30078 and 5, for their author alone (NIP-42, NIP-78), and the short-lived
// messages of pairing. docs/RELAYS.md says how to run it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/fiatjaf/eventstore/lmdb"
	"github.com/fiatjaf/khatru"
	"github.com/fiatjaf/khatru/policies"
	"github.com/nbd-wtf/go-nostr"
)

const (
	kindAppData  = 30078 // NIP-78
	kindDeletion = 5     // NIP-09
	kindPairing  = 24134 // NIP-AB: ephemeral, of keys that are made for one session
)

// Further ahead than that is no clock that is a little wrong.
const maxAhead = 15 * time.Minute

type limits struct {
	eventBytes      int
	writesPerMinute int
	burst           int
}

func main() {
	listen := flag.String("listen", "127.0.0.1:7777", "address and port; put a proxy that speaks TLS before it")
	data := flag.String("data", "relay-data", "folder of the database")
	url := flag.String("url", "", "wss:// URL under which clients know the relay, which AUTH events must name; by default that of the request")
	auth := flag.Bool("auth", true, "serve values to their author alone")
	negentropy := flag.Bool("negentropy", true, "reconcile by NIP-77")
	most := limits{}
	flag.IntVar(&most.eventBytes, "max-event-bytes", 131_072, "size of an event as JSON")
	flag.IntVar(&most.writesPerMinute, "writes-per-minute", 120, "of one user")
	flag.IntVar(&most.burst, "burst", 240, "writes of one user at once: a value of 400 KB is some 35 events, and some 110 by a signer that takes little")
	flag.Parse()

	if err := os.MkdirAll(*data, 0o700); err != nil {
		log.Fatalf("Cannot make %s: %v", *data, err)
	}
	store := lmdb.LMDBBackend{Path: *data}
	if err := store.Init(); err != nil {
		log.Fatalf("Cannot open %s: %v", *data, err)
	}
	defer store.Close()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("Cannot listen on %s: %v", *listen, err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, relayOver(&store, *url, *auth, *negentropy, most)))
}

func relayOver(store *lmdb.LMDBBackend, url string, auth, negentropy bool, most limits) *khatru.Relay {
	relay := khatru.NewRelay()
	relay.ServiceURL = url
	relay.Negentropy = negentropy
	relay.Info.Name = "nostr-sync"
	relay.Info.Description = "Encrypted app data, for its author alone"
	relay.Info.SupportedNIPs = append(relay.Info.SupportedNIPs, 9, 78)
	// An event in its frame.
	relay.MaxMessageSize = int64(most.eventBytes) + 1_024
	relay.StoreEvent = append(relay.StoreEvent, store.SaveEvent)
	relay.ReplaceEvent = append(relay.ReplaceEvent, store.ReplaceEvent)
	relay.DeleteEvent = append(relay.DeleteEvent, store.DeleteEvent)
	relay.QueryEvents = append(relay.QueryEvents, store.QueryEvents)

	relay.RejectEvent = append(relay.RejectEvent, unfit(most),
		policies.EventPubKeyRateLimiter(most.writesPerMinute, time.Minute, most.burst))
	if auth {
		relay.OnConnect = append(relay.OnConnect, khatru.RequestAuth)
		relay.RejectEvent = append(relay.RejectEvent, ofAnother)
		relay.RejectFilter = append(relay.RejectFilter, forAnother)
		relay.OverwriteFilter = append(relay.OverwriteFilter, refusable)
		relay.PreventBroadcast = append(relay.PreventBroadcast, isForAnother)
	}
	return relay
}

// What is no event of the kinds, size and time that this relay is for.
func unfit(most limits) func(context.Context, *nostr.Event) (bool, string) {
	return func(_ context.Context, event *nostr.Event) (bool, string) {
		switch {
		case !slices.Contains([]int{kindAppData, kindDeletion, kindPairing}, event.Kind):
			return true, fmt.Sprintf("blocked: kind %d is not for this relay", event.Kind)
		case len(event.String()) > most.eventBytes:
			return true, fmt.Sprintf("invalid: the event is larger than %d bytes", most.eventBytes)
		case event.CreatedAt.Time().After(time.Now().Add(maxAhead)):
			return true, "invalid: created_at is too far in the future"
		}
		return false, ""
	}
}

func ofAnother(ctx context.Context, event *nostr.Event) (bool, string) {
	switch khatru.GetAuthed(ctx) {
	case event.PubKey:
		return false, ""
	case "":
		return true, "auth-required: only its author publishes an event here"
	}
	return true, "restricted: only its author publishes an event here"
}

// Values and their deletions are asked for by their author; messages of pairing by who they are for as well.
func forAnother(ctx context.Context, filter nostr.Filter) (bool, string) {
	authed := khatru.GetAuthed(ctx)
	if authed == "" {
		return true, "auth-required: values are for their author alone"
	}
	own := []string{authed}
	isOwn := slices.Equal(filter.Authors, own)
	isPairing := slices.Equal(filter.Kinds, []int{kindPairing}) && slices.Equal(filter.Tags["p"], own)
	if isOwn || isPairing {
		return false, ""
	}
	return true, "restricted: values are for their author alone"
}

// khatru asks RejectFilter nothing about a filter with `limit: 0`, which wants what is to come.
func refusable(ctx context.Context, filter *nostr.Filter) {
	if refused, _ := forAnother(ctx, *filter); refused {
		filter.LimitZero = false
	}
}

func isForAnother(client *khatru.WebSocket, event *nostr.Event) bool {
	return event.Kind != kindPairing && client.AuthedPublicKey != event.PubKey
}
