package codec

import (
	"fmt"
	"time"

	"embedseal/adapters/internal/ledger"
	"embedseal/domain/group"
	"embedseal/domain/replay"
	"embedseal/domain/revocation"
)

type ledgerDocument struct {
	V     int             `json:"v"`
	Group string          `json:"group"`
	Log   string          `json:"log"`
	Seq   uint64          `json:"seq"`
	Pages []pageLine      `json:"pages,omitempty"`
	Tail  []entryDocument `json:"tail"`
}

type pageLine struct {
	ID    string    `json:"id"`
	Last  uint64    `json:"last"`
	Count int       `json:"count"`
	Dies  time.Time `json:"dies"`
}

type pageDocument struct {
	V       int             `json:"v"`
	Group   string          `json:"group"`
	Log     string          `json:"log"`
	ID      string          `json:"id"`
	Entries []entryDocument `json:"entries"`
}

type entryDocument struct {
	Seq       uint64     `json:"seq"`
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Subject   string     `json:"subject"`
	Before    *time.Time `json:"before,omitempty"`
	ExpiresAt time.Time  `json:"expires_at"`
	CreatedAt time.Time  `json:"created_at"`
	Note      string     `json:"note,omitempty"`
	Creation  string     `json:"creation,omitempty"`
}

// EncodeLedger returns the document of the ledger of g. The error wraps
// group.ErrInvalid or [ErrInvalid].
func EncodeLedger(g group.ID, l ledger.Ledger) ([]byte, error) {
	if _, err := group.ParseID(string(g)); err != nil {
		return nil, fmt.Errorf("codec: encode a ledger: %w", err)
	}
	what := "the ledger of " + string(g)
	if err := l.Check(); err != nil || l.Log == "" {
		return nil, fmt.Errorf("codec: encode %s: %w: it is none", what, ErrInvalid)
	}
	d := ledgerDocument{V: format, Group: string(g), Log: l.Log, Seq: l.Seq, Tail: documents(l.Tail)}
	for _, p := range l.Pages {
		d.Pages = append(d.Pages, pageLine{p.ID, p.Last, p.Count, p.Dies.UTC()})
	}
	return encode(what, d)
}

// DecodeLedger returns the ledger of g that doc stands for. The error wraps
// ports.ErrCorrupt and holds no part of doc.
func DecodeLedger(g group.ID, doc []byte) (ledger.Ledger, error) {
	what := "the ledger of " + string(g)
	var d ledgerDocument
	if err := decode(what, doc, &d); err != nil {
		return ledger.Ledger{}, err
	}
	if d.V != format || d.Group != string(g) {
		return ledger.Ledger{}, unreadable(what, "it is of another format or another group")
	}
	l := ledger.Ledger{Log: d.Log, Seq: d.Seq}
	for _, p := range d.Pages {
		l.Pages = append(l.Pages, ledger.Page{ID: p.ID, Last: p.Last, Count: p.Count, Dies: p.Dies})
	}
	var ok bool
	if l.Tail, ok = entries(d.Tail); !ok {
		return ledger.Ledger{}, unreadable(what, "an entry breaks the rules of revocations")
	}
	again, err := EncodeLedger(g, l)
	if err := canonical(what, doc, again, err); err != nil {
		return ledger.Ledger{}, err
	}
	return l, nil
}

// EncodePage returns the document of a page of the ledger of g. The error wraps
// group.ErrInvalid or [ErrInvalid].
func EncodePage(g group.ID, log string, p ledger.Page, list []revocation.Entry) ([]byte, error) {
	if _, err := group.ParseID(string(g)); err != nil {
		return nil, fmt.Errorf("codec: encode a page of revocations: %w", err)
	}
	what := "a page of the revocations of " + string(g)
	if err := ledger.CheckEntries(list, 0); err != nil || !p.Is(list) || log == "" {
		return nil, fmt.Errorf("codec: encode %s: %w: it is none", what, ErrInvalid)
	}
	return encode(what, pageDocument{V: format, Group: string(g), Log: log, ID: p.ID, Entries: documents(list)})
}

// DecodePage returns the entries of a page, which are those that the ledger says of
// it. The error wraps ports.ErrCorrupt and holds no part of doc.
func DecodePage(g group.ID, log string, p ledger.Page, doc []byte) ([]revocation.Entry, error) {
	what := "a page of the revocations of " + string(g)
	var d pageDocument
	if err := decode(what, doc, &d); err != nil {
		return nil, err
	}
	if d.V != format || d.Group != string(g) || d.Log != log || d.ID != p.ID {
		return nil, unreadable(what, "it is of another format, another group or another ledger")
	}
	list, ok := entries(d.Entries)
	if !ok {
		return nil, unreadable(what, "an entry breaks the rules of revocations")
	}
	again, err := EncodePage(g, log, p, list)
	if err := canonical(what, doc, again, err); err != nil {
		return nil, err
	}
	return list, nil
}

func documents(list []revocation.Entry) []entryDocument {
	docs := make([]entryDocument, len(list))
	for i, e := range list {
		docs[i] = entryDocument{
			Seq: e.Seq, ID: string(e.ID), Kind: e.Kind.String(), Subject: e.Subject, Before: instant(e.Before),
			ExpiresAt: e.ExpiresAt.UTC(), CreatedAt: e.CreatedAt.UTC(), Note: e.Note, Creation: e.Creation.String(),
		}
	}
	return docs
}

func entries(docs []entryDocument) ([]revocation.Entry, bool) {
	list := make([]revocation.Entry, len(docs))
	for i, d := range docs {
		kind, err := revocation.ParseKind(d.Kind)
		if err != nil {
			return nil, false
		}
		creation, err := replay.Parse(d.Creation)
		if err != nil {
			return nil, false
		}
		list[i] = revocation.Entry{
			Seq: d.Seq, ID: revocation.ID(d.ID), Kind: kind, Subject: d.Subject, Before: fromInstant(d.Before),
			ExpiresAt: d.ExpiresAt.UTC(), CreatedAt: d.CreatedAt.UTC(), Note: d.Note, Creation: creation,
		}
	}
	return list, true
}
