package app

// SidecarConfig is a detector outside of the gateway: Presidio's analyzer or a
// model behind the same interface (docs/sidecar.md). It is sent prose in clear.
type SidecarConfig struct {
	// URL is that of the interface, such as https://presidio.example.com/analyze.
	// Plain http is for a loopback address only. Default: nobody is asked.
	URL string `yaml:"url"`
	// Private allows loopback and private addresses. Default: false.
	Private bool `yaml:"private"`
	// CA is "file:" and the path of a PEM bundle of the authorities that the
	// service's certificate comes from. Default: those of the system.
	CA string `yaml:"ca"`
	// Token is a reference to a bearer token, env:NAME or file:PATH. Default: none
	// is sent.
	Token string `yaml:"token"`
	// Types are what it is asked for, as far as the profile acts on them. Default:
	// PERSON, LOCATION, ORGANIZATION, NRP.
	Types []string `yaml:"types"`
	// Entities say which type an entity of the service has, beside those of
	// Presidio; ignore: it is no finding. A finding of an entity without a meaning
	// is a failure.
	Entities map[string]string `yaml:"entities"`
	// Language is the one that texts are examined in. Default: en.
	Language string `yaml:"language"`
	// MinScore is the least score of a finding, from 0 to 1. Default: 0.5.
	MinScore *float64 `yaml:"min_score" min:"0" max:"1"`
	// Timeout is how long all questions about one message may take. Default: 2s.
	Timeout Duration `yaml:"timeout" min:"10ms" max:"1m"`
	// MaxBytes is how much text one request holds; longer texts are cut at blanks
	// and asked about in turn. Default: 64KiB.
	MaxBytes Size `yaml:"max_bytes" min:"256" max:"1048576"`
	// Concurrency is how many requests are under way at once. Default: 8.
	Concurrency int `yaml:"concurrency" min:"1" max:"1000"`
	// OnError says what becomes of a message that the service failed on: block, or
	// flag (it passes as our own detector leaves it, and the record says so).
	// Default: block.
	OnError string `yaml:"on_error" enum:"block,flag"`
}
