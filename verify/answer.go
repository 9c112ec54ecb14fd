package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ReceiptMember is the member of an answer's _meta that holds its receipt.
const ReceiptMember = "dev.ostiary/receipt"

// maxAnswer bounds an answer that is read.
const maxAnswer = 256 << 20

// errNoReceipt is an answer without a receipt.
var errNoReceipt = errors.New("the answer holds no receipt")

// Strip takes the receipt out of an answer: the JSON-RPC message exactly as it
// came. It returns the receipt and the bytes that its answer_sha256 is of: all
// others. With the receipt goes one comma: that before it when a member stands
// before it, else that after it. A _meta that held nothing else goes with it in
// the same way, and so does the data of an error.
func Strip(answer []byte) (receipt, rest []byte, err error) {
	answer = bytes.Trim(answer, " \t\r\n")
	if len(answer) > maxAnswer {
		return nil, nil, errors.New("the answer is too long")
	}
	if !json.Valid(answer) {
		return nil, nil, errors.New("the answer is no JSON text")
	}
	whole := member{start: 0, value: 0, end: len(answer)}
	result, _, err := find(answer, whole, "result")
	if err != nil {
		return nil, nil, err
	}
	path, at := []string{"_meta", ReceiptMember}, result
	if at == nil {
		if at, _, err = find(answer, whole, "error"); err != nil {
			return nil, nil, err
		}
		path = []string{"data", "_meta", ReceiptMember}
	}
	var cut cut
	for i, name := range path {
		if at == nil {
			return nil, answer, errNoReceipt
		}
		m, all, err := find(answer, *at, name)
		if err != nil {
			return nil, nil, err
		}
		if m == nil {
			return nil, answer, errNoReceipt
		}
		if i == 0 || len(all) > 1 {
			cut = around(*m, all)
		}
		at = m
	}
	rest = append(append([]byte{}, answer[:cut.start]...), answer[cut.end:]...)
	return answer[at.value:at.end], rest, nil
}

// member is where a member of an object stands: its name from start, its value
// from value to end.
type member struct{ start, value, end int }

// cut is a range of bytes to take out.
type cut struct{ start, end int }

// around returns what to take out with m: its comma too.
func around(m member, all []member) cut {
	for i, o := range all {
		if o != m {
			continue
		}
		if i > 0 {
			return cut{all[i-1].end, m.end}
		}
		if len(all) > 1 {
			return cut{m.start, all[1].start}
		}
	}
	return cut{m.start, m.end}
}

// find returns the member name of the object that is the value of in, and all
// its members; nil when it is no object or has none. An object that has it
// twice is refused: readers would differ on which one counts.
func find(text []byte, in member, name string) (*member, []member, error) {
	if text[in.value] != '{' {
		return nil, nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text[in.value:in.end]))
	if _, err := d.Token(); err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	var all []member
	var at *member
	for d.More() {
		from := in.value + int(d.InputOffset())
		from += bytes.IndexByte(text[from:], '"')
		key, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("read answer: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, fmt.Errorf("read answer: %w", err)
		}
		end := in.value + int(d.InputOffset())
		m := member{from, end - len(value), end}
		all = append(all, m)
		if key == name {
			if at != nil {
				return nil, nil, fmt.Errorf("the answer has %s twice", name)
			}
			at = &m
		}
	}
	return at, all, nil
}
