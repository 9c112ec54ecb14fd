// Package filter takes out of answers what their callers do not need: members
// by path, rows by predicate, lists and texts by length, whole content blocks,
// metadata. Rules are written in YAML, are read strictly and are compiled once
// for each view of the registry.
//
// It works on structuredContent and on JSON inside text alike, because what one
// of them hides the other would show. It only ever takes away: of rules of more
// than one match, drops add up, keeps intersect and caps take the least. What it
// does not take away keeps its bytes. When a result cannot be made to fit its
// output schema, the report says so and the caller blocks the answer.
//
// The room works on values that it is given. It deliberately detects nothing,
// hides nothing behind pseudonyms, sends nothing and keeps no value of any
// answer.
package filter

// Match is what an answer belongs to. Caller is not matched on: it tells the
// Learner whose later arguments may use what was answered, at any server.
type Match struct{ Agent, Server, Tool, Resource, Method, Purpose, Caller string }
