package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// receiptDomain stands before what is signed, so that no other signed text of
// the same key can be taken for a receipt.
const receiptDomain = "ostiary-receipt/v1\n"

// maxReceipt bounds a receipt with its proof.
const maxReceipt = maxProof + 16<<10

// ReceiptOptions is what the caller knows of a receipt.
type ReceiptOptions struct {
	Keys    []Key  // public keys of receipts
	Answer  []byte // the answer as it came, with or without the receipt; nil: not checked
	Request []byte // the request as it was sent; nil: not checked

	// To check the proof in the receipt, or one that was fetched later.
	LogKeys []Key   // public keys of logs; none: no proof is checked
	Policy  *Policy // the witnesses that must have signed; nil: none
	Proof   []byte  // a c2sp.org/tlog-proof@v1; nil: the one in the receipt, if any
}

// ReceiptReport says what a receipt states, and what of it was checked.
type ReceiptReport struct {
	Log      string    `json:"log"`
	Index    uint64    `json:"index"`
	Leaf     string    `json:"leaf"` // as text
	Exchange string    `json:"exchange"`
	State    string    `json:"state"`
	Time     time.Time `json:"time"`
	Key      string    `json:"key"`
	Answer   bool      `json:"answer_checked"`
	Request  bool      `json:"request_checked"`
	Included bool      `json:"inclusion_proven"` // until then it is a signed promise
	Size     uint64    `json:"size,omitempty"`   // of the log in the proof
}

// receipt is the JSON object of a receipt. Members that are missing stay nil.
type receipt struct {
	Answer   *string `json:"answer_sha256"`
	Exchange *string `json:"exchange"`
	Index    *uint64 `json:"index"`
	Key      *string `json:"key"`
	Leaf     *string `json:"leaf"`
	Log      *string `json:"log"`
	Proof    *string `json:"proof"`
	Request  *string `json:"request_sha256"`
	Sig      *string `json:"sig"`
	State    *string `json:"state"`
	Time     *int64  `json:"t"`
	Version  *int64  `json:"v"`
}

// Receipt verifies a receipt: the JSON object, or an answer that holds it. The
// error is a *Broken when something does not verify.
func Receipt(file []byte, o ReceiptOptions) (ReceiptReport, error) {
	text, err := receiptText(file)
	if err != nil {
		return ReceiptReport{}, broken(NoIndex, "%s", err)
	}
	r, err := parseReceipt(text)
	if err != nil {
		return ReceiptReport{}, broken(NoIndex, "%s", err)
	}
	b := &Broken{Log: *r.Log, Index: int64(*r.Index)}
	report, err := r.check(o)
	var proven *Broken
	switch {
	case errors.As(err, &proven):
		return ReceiptReport{}, proven
	case err != nil:
		b.Why = printable(err.Error())
		return ReceiptReport{}, b
	}
	return report, nil
}

// receiptText returns the receipt in a file that is one, or an answer.
func receiptText(file []byte) ([]byte, error) {
	file = bytes.Trim(file, " \t\r\n")
	var seen map[string]json.RawMessage
	if len(file) > maxAnswer || json.Unmarshal(file, &seen) != nil {
		return nil, errors.New("the file is neither a receipt nor an answer with one")
	}
	if seen["sig"] != nil {
		return file, nil
	}
	text, _, err := Strip(file)
	return text, err
}

// parseReceipt reads the object strictly: no member twice, none that is not
// known, none missing but proof, and each value in its one spelling.
func parseReceipt(text []byte) (*receipt, error) {
	if len(text) > maxReceipt {
		return nil, errors.New("the receipt is too long")
	}
	if err := uniqueMembers(text); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var r receipt
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("the receipt is malformed: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the receipt is followed by something")
	}
	if r.Answer == nil || r.Exchange == nil || r.Index == nil || r.Key == nil || r.Leaf == nil || r.Log == nil ||
		r.Request == nil || r.Sig == nil || r.State == nil || r.Time == nil || r.Version == nil {
		return nil, errors.New("the receipt lacks a member")
	}
	if *r.Version != 1 {
		return nil, fmt.Errorf("the receipt has the version %d, which is not known", *r.Version)
	}
	if *r.State != "decided" && *r.State != "finished" {
		return nil, fmt.Errorf("the receipt has the state %q, which is not known", *r.State)
	}
	if *r.Index >= maxSize || *r.Time < 0 || *r.Time >= 1<<53 {
		return nil, errors.New("the receipt has a number out of range")
	}
	return &r, nil
}

// uniqueMembers refuses an object that has a member twice, also in another
// case: encoding/json would take the last of them for the field.
func uniqueMembers(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("the receipt is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fmt.Errorf("the receipt is malformed: %w", err)
		}
		name, _ := key.(string)
		if name != strings.ToLower(name) || seen[name] {
			return errors.New("the receipt has a member twice or in another case")
		}
		seen[name] = true
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return fmt.Errorf("the receipt is malformed: %w", err)
		}
	}
	return nil
}

// message returns what is signed: the members but proof and sig as canonical
// JSON (RFC 8785) behind the domain. Strings that would need an escape are
// refused: none of ours do.
func (r *receipt) message() ([]byte, error) {
	for _, s := range []string{*r.Answer, *r.Exchange, *r.Key, *r.Leaf, *r.Log, *r.Request} {
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
			return nil, errors.New("the receipt has a character that none of ours has")
		}
	}
	return []byte(receiptDomain + `{"answer_sha256":"` + *r.Answer + `","exchange":"` + *r.Exchange +
		`","index":` + strconv.FormatUint(*r.Index, 10) + `,"key":"` + *r.Key + `","leaf":"` + *r.Leaf +
		`","log":"` + *r.Log + `","request_sha256":"` + *r.Request + `","state":"` + *r.State +
		`","t":` + strconv.FormatInt(*r.Time, 10) + `,"v":1}`), nil
}

func (r *receipt) check(o ReceiptOptions) (ReceiptReport, error) {
	if err := r.signed(o.Keys); err != nil {
		return ReceiptReport{}, err
	}
	raw, err := r.leaf()
	if err != nil {
		return ReceiptReport{}, err
	}
	report := ReceiptReport{Log: *r.Log, Index: *r.Index, Leaf: string(raw), Exchange: *r.Exchange, State: *r.State,
		Time: time.UnixMilli(*r.Time).UTC(), Key: *r.Key}
	if o.Answer != nil {
		if err := r.answers(o.Answer); err != nil {
			return ReceiptReport{}, err
		}
		report.Answer = true
	}
	if o.Request != nil {
		if !digests(*r.Request, bytes.Trim(o.Request, " \t\r\n")) {
			return ReceiptReport{}, errors.New("the receipt is of another request")
		}
		report.Request = true
	}
	if o.Proof == nil && r.Proof != nil && len(o.LogKeys) > 0 {
		o.Proof = []byte(*r.Proof)
	}
	if o.Proof == nil {
		return report, nil
	}
	p, err := Proof(o.Proof, ProofOptions{Keys: o.LogKeys, Policy: o.Policy, Leaf: raw})
	if err != nil {
		return ReceiptReport{}, err
	}
	if p.Origin != *r.Log || p.Index != *r.Index {
		return ReceiptReport{}, errors.New("the proof is of another entry than the receipt names")
	}
	report.Included, report.Size = true, p.Size
	return report, nil
}

// signed checks the signature by the key that the receipt names, which must be
// one that the caller knows.
func (r *receipt) signed(keys []Key) error {
	msg, err := r.message()
	if err != nil {
		return err
	}
	sig, err := decode64(*r.Sig)
	if err != nil {
		return errors.New("the receipt's signature is not base64")
	}
	for _, k := range keys {
		if k.ID() == *r.Key {
			if !k.Verify(msg, sig) {
				return errors.New("the receipt's signature is wrong")
			}
			return nil
		}
	}
	return fmt.Errorf("the receipt is signed by %s, which is none of the keys given", *r.Key)
}

// leaf returns the leaf and holds it to what the receipt says of it.
func (r *receipt) leaf() ([]byte, error) {
	raw, err := decode64(*r.Leaf)
	if err != nil {
		return nil, errors.New("the receipt's leaf is not base64")
	}
	l, err := parseLeaf(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case !strings.HasSuffix(*r.Log, "/"+unquote(l.log)):
		return nil, errors.New("the receipt's leaf is of another log")
	case l.exchange == nil || unquote(l.exchange) != *r.Exchange:
		return nil, errors.New("the receipt's leaf is of another exchange")
	case (*r.State == "decided") != l.open():
		return nil, errors.New("the receipt's leaf tells another state than the receipt")
	}
	return raw, nil
}

// answers holds the receipt to an answer. One that holds a receipt must hold
// this one.
func (r *receipt) answers(answer []byte) error {
	text, rest, err := Strip(answer)
	if err != nil && !errors.Is(err, errNoReceipt) {
		return err
	}
	if err == nil {
		other, err := parseReceipt(text)
		if err != nil {
			return fmt.Errorf("the receipt in the answer: %w", err)
		}
		if *other.Sig != *r.Sig {
			return errors.New("the answer holds another receipt")
		}
	}
	if !digests(*r.Answer, rest) {
		return errors.New("the receipt is of another answer")
	}
	return nil
}

// digests reports whether text is the SHA-256 of data in base64.
func digests(text string, data []byte) bool {
	sum := sha256.Sum256(data)
	return text == base64.StdEncoding.EncodeToString(sum[:])
}
