package wire

// Limits bound one message. Sizes are in bytes as written, quotes not counted.
// A zero limit refuses everything that it bounds, so start from DefaultLimits.
type Limits struct {
	Bytes     int // whole message, event or line
	Depth     int // nesting of objects and arrays; the message itself is 1
	Members   int // per object
	Elements  int // per array
	Tokens    int // keys and values of the whole message
	Key       int // one member name
	Method    int // decoded method
	Name      int // decoded name of a tool, prompt or resource
	URI       int // decoded URI
	StringID  int // decoded id or progress token that is a string
	IntegerID int // digits of an id or progress token that is an integer
	Number    int // any number literal
	Blocks    int // content blocks of one result
	Cursor    int // decoded cursor that a server sends
	State     int // decoded requestState that a server sends
	Handle    int // decoded cursor, task id or requestState that a client sends back
}

// DefaultLimits returns the defaults that the configuration documents.
func DefaultLimits() Limits {
	return Limits{
		Bytes: 4 << 20, Depth: 64, Members: 10_000, Elements: 100_000, Tokens: 1_000_000,
		Key: 1 << 10, Method: 128, Name: 256, URI: 8 << 10, StringID: 256, IntegerID: 64,
		Number: 8 << 10, Blocks: 10_000, Cursor: 4 << 10, State: 64 << 10, Handle: 128 << 10,
	}
}

// ownLimits bound what the gateway itself builds: the bytes are those of a
// message that was read before, so only the shape is held.
func ownLimits() Limits {
	lim := DefaultLimits()
	lim.Bytes, lim.Name, lim.Cursor, lim.State = 64<<20, lim.Handle, lim.Handle, 2*lim.Handle
	return lim
}
