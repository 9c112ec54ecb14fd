package hostile

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// TestJ15OnlyTheAskedAnswers holds that an answer reaches the server that asked
// only from the session that was asked, under the id that it was asked with,
// and once: another session of the same agent is another client.
func TestJ15OnlyTheAskedAnswers(t *testing.T) {
	w := sessionWorld(t)
	const question, reply = `{"messages":[],"maxTokens":1}`, `{"role":"assistant","content":{"type":"text","text":"mine"},"model":"m"}`
	answer := func(id, result string) string { return `{"jsonrpc":"2.0","id":` + id + `,"result":` + result + `}` }
	for _, version := range versions[1:] {
		told := make(chan doortest.Message, 1)
		w.up.On("tools/call", func(conn *doortest.Conn, _ *doortest.Request) {
			got, ok := conn.Ask(`"q"`, "sampling/createMessage", question)
			if !ok {
				return
			}
			told <- got
			conn.Result(`{"content":[]}`)
		})
		asked := func(agent string) *doortest.Client {
			c := w.clientOf(t, agent, version)
			c.Initialize(version, `{"sampling":{}}`)
			return c
		}
		c, sibling, stranger := asked("app"), asked("app"), asked("other")
		stream := c.Open("POST", good(version))
		e, err := stream.Next()
		for err == nil && e.Data == "" {
			e, err = stream.Next()
		}
		if err != nil {
			t.Fatalf("%s: no question: %v", version, err)
		}
		id := string(doortest.Envelope([]byte(e.Data)).ID)
		w.mark()
		for name, from := range map[string]*doortest.Client{"sibling": sibling, "stranger": stranger} {
			w.holds(t, version+"/"+name, badMessage(id), from.Post(answer(id, reply)))
		}
		w.holds(t, version+"/the server's id", badMessage(`"q"`), c.Post(answer(`"q"`, reply)))
		w.holds(t, version+"/the call's id", badMessage(`"x"`), c.Post(answer(`"x"`, reply)))
		if got := c.Post(answer(id, reply)); got.Status != 202 {
			t.Errorf("%s: the answer got %d %s", version, got.Status, got.Body)
		}
		if got := <-told; string(got.ID) != `"q"` || string(got.Result) != reply {
			t.Errorf("%s: the server was told %s %s", version, got.ID, got.Result)
		}
		if e, err = stream.Next(); err != nil || !strings.Contains(e.Data, `"content":[]`) {
			t.Errorf("%s: %s %v", version, e.Data, err)
		}
		w.up.On("tools/call", nil)
		doortest.Poll(t, "the records of call and answer", func() bool { return len(w.exchanges()) >= w.seen+2 })
		w.mark()
		w.holds(t, version+"/twice", badMessage(id), c.Post(answer(id, reply)))
	}
}
