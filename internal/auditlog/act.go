package auditlog

// Act is one act of an operator, or of the gateway itself, as admin describes
// it and record writes it. By and Agent are names of people and agents: record
// turns them into pseudonyms, and nothing else of an Act may name anybody.
type Act struct {
	Kind    Kind
	Action  string // what was done, such as "server.approve"
	By      string // who did it; "" = the gateway itself
	Agent   string // the agent that it concerns, if any
	Subject string // id of the server, token or key that it concerns
	Reason  string // why, in the operator's own words
	Before  string // hex SHA-256 of the object before; "" = there was none
	After   string // and after; "" = there is none any more
	Change  any    // what else should be known; marshals to JSON and holds no secret
}
