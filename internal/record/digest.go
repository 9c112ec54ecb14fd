package record

import (
	"crypto/sha256"

	"ostiary.dev/ostiary/internal/exchange"
)

// Sum is a SHA-256; the zero value is none.
type Sum = [sha256.Size]byte

// requestSum returns the digest of the request as it came in; for a part of
// /mcp, of what its server is sent. It is made here, where the bytes are at
// hand and no later step has changed them.
func requestSum(x *exchange.Exchange) Sum {
	if x.RequestSum != (Sum{}) {
		return x.RequestSum // made before something was taken out for the server
	}
	if x.Request == nil {
		return Sum{}
	}
	return sha256.Sum256(x.Request.Root().Raw())
}

// answerSum returns the digest of the last answer.
func answerSum(x *exchange.Exchange) Sum {
	if x.AnswerSum != (Sum{}) {
		return x.AnswerSum // made where the answer got its receipt
	}
	if x.Final == nil {
		return Sum{}
	}
	return sha256.Sum256(x.Final.Root().Raw())
}

// Passed adds a message that reached the caller before the last answer to the
// running digest of x: SHA-256(digest so far || SHA-256(message)), beginning
// with 32 zero bytes.
func Passed(x *exchange.Exchange) {
	if x.Message == nil {
		return
	}
	var both [2 * sha256.Size]byte
	copy(both[:], x.StreamSum[:])
	m := sha256.Sum256(x.Message.Raw())
	copy(both[sha256.Size:], m[:])
	x.StreamSum = sha256.Sum256(both[:])
}
