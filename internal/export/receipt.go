package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/wire"
)

// ReceiptMember is the member of an answer's _meta that holds its receipt.
const ReceiptMember = "dev.ostiary/receipt"

// The states of an exchange that a receipt can tell.
const (
	Decided  = "decided"  // the entry was written before the call; its outcome follows in the log
	Finished = "finished" // the entry holds the outcome, which a refusal is too
)

// receiptDomain keeps a signed receipt from being read as anything else that is
// signed, and the other way round (TestReceiptDomain).
const receiptDomain = "ostiary-receipt/v1\n"

// Receipt is what the gateway says of one exchange in its answer.
type Receipt struct {
	Origin   string // of the log
	Index    uint64 // of the entry
	Leaf     []byte // of the entry, its exact bytes
	Exchange string
	Request  [32]byte // MessageDigest of the request as it came in
	Answer   [32]byte // SHA-256 of the answer without the receipt; see AnswerDigest
	State    string   // Decided or Finished
	Time     time.Time
	Proof    []byte // a tlog-proof, when it was asked for; not signed, it proves itself
}

// Sign returns the JSON object to place in the answer: canonical, signed by
// the key for receipts alone.
func (r Receipt) Sign(by note.Signer) ([]byte, error) {
	if r.State != Decided && r.State != Finished {
		return nil, fmt.Errorf("sign receipt: no state %q", r.State)
	}
	key := fmt.Sprintf("%s+%08x", by.Name(), by.KeyHash())
	sig, err := by.Sign(append([]byte(receiptDomain), r.object(key, nil, nil)...))
	if err != nil {
		return nil, fmt.Errorf("sign receipt: %w", err)
	}
	return r.object(key, sig, r.Proof), nil
}

// object returns the receipt as canonical JSON (RFC 8785): members in the order
// of their names, no white space. What is signed lacks proof and sig.
func (r Receipt) object(key string, sig, proof []byte) []byte {
	b := make([]byte, 0, 1024)
	digest := func(name string, v [32]byte) {
		b = append(append(b, name...), ":\""...)
		b = append(base64.StdEncoding.AppendEncode(b, v[:]), '"')
	}
	digest(`{"answer_sha256"`, r.Answer)
	b = append(append(b, `,"exchange":`...), wire.Quote(r.Exchange)...)
	b = fmt.Appendf(b, `,"index":%d`, r.Index)
	b = append(append(b, `,"key":`...), wire.Quote(key)...)
	b = append(base64.StdEncoding.AppendEncode(append(b, `,"leaf":"`...), r.Leaf), '"')
	b = append(append(b, `,"log":`...), wire.Quote(r.Origin)...)
	if proof != nil {
		b = append(append(b, `,"proof":`...), wire.Quote(string(proof))...)
	}
	digest(`,"request_sha256"`, r.Request)
	if sig != nil {
		b = append(base64.StdEncoding.AppendEncode(append(b, `,"sig":"`...), sig), '"')
	}
	return fmt.Appendf(b, `,"state":%q,"t":%d,"v":1}`, r.State, r.Time.UnixMilli())
}

// PlaceReceipt returns the answer with the receipt in result._meta, or in
// error.data._meta. Every other byte stays. It returns ErrNoPlace when one of
// these is there and no object.
func PlaceReceipt(answer *wire.Message, receipt []byte) (*wire.Message, error) {
	top, path := answer.Result(), []string{"_meta"}
	if !top.Exists() {
		top, path = answer.ErrorObject(), []string{"data", "_meta"}
	}
	for top.Kind() == wire.Object && len(path) > 0 {
		next := top.Get(path[0])
		if !next.Exists() || next.Kind() == wire.Null {
			break
		}
		top, path = next, path[1:]
	}
	if top.Kind() != wire.Object {
		return nil, fmt.Errorf("place receipt: %w", ErrNoPlace)
	}
	name, text := ReceiptMember, receipt
	if len(path) > 0 {
		name = path[0]
		text = nest(append(path[1:], ReceiptMember), receipt)
	}
	out, err := answer.Rewrite(wire.SetMember(top, name, text))
	if err != nil {
		return nil, fmt.Errorf("place receipt: %w", err)
	}
	return out, nil
}

// nest wraps text into one object per name.
func nest(names []string, text []byte) []byte {
	for i := len(names) - 1; i >= 0; i-- {
		b := append(append([]byte{'{'}, wire.Quote(names[i])...), ':')
		text = append(append(b, text...), '}')
	}
	return text
}

// RemoveReceipt returns the answer without a receipt: what a server put there
// is no statement of ours, and a client must not take it for one
// (TestReceiptOfAServer). An object that held nothing else goes with it.
func RemoveReceipt(answer *wire.Message) (*wire.Message, error) {
	top, path := answer.Result(), []string{"_meta", ReceiptMember}
	if !top.Exists() {
		top, path = answer.ErrorObject(), []string{"data", "_meta", ReceiptMember}
	}
	from, name := top, path[0] // what to remove: the outermost that holds nothing else
	for i, member := range path {
		v := top.Get(member)
		if !v.Exists() {
			return answer, nil
		}
		if top.Len() > 1 || i == 0 {
			from, name = top, member
		}
		top = v
	}
	edit, _ := wire.RemoveMember(from, name)
	out, err := answer.Rewrite(edit)
	if err != nil {
		return nil, fmt.Errorf("remove receipt: %w", err)
	}
	return out, nil
}

// AnswerDigest returns the digest that the receipt of this answer holds: of the
// bytes of the message as they will be without the receipt. These are the
// bytes of answer itself, unless a _meta (or error.data) is there and empty or
// null: that counts as absent, since a reader cannot tell who made it.
func AnswerDigest(answer *wire.Message) ([32]byte, error) {
	with, err := PlaceReceipt(answer, []byte("0"))
	if err != nil {
		return [32]byte{}, err
	}
	without, err := RemoveReceipt(with)
	if err != nil {
		return [32]byte{}, err
	}
	return MessageDigest(without.Raw()), nil
}

// MessageDigest returns the digest of a message for a receipt: of its bytes
// without white space around them, which files and streams add and take away.
func MessageDigest(message []byte) [32]byte {
	return sha256.Sum256(bytes.Trim(message, " \t\r\n"))
}
