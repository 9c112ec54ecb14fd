package hostile

import (
	"flag"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// soak asks for the long counts of the cases that have a short form.
var soak = flag.Bool("soak", false, "use the long counts")

func TestMain(m *testing.M) {
	doortest.Main() // the stdio servers are this binary, started again
	m.Run()
}
