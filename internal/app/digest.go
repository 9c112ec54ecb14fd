package app

import (
	"encoding/json"

	"ostiary.dev/ostiary/internal/registry"
)

// digest identifies a text of the configuration in records: hex SHA-256 of the
// JSON object {"text":TEXT}.
type digest string

func digestOf(text []byte) digest {
	object, err := json.Marshal(map[string]string{"text": string(text)})
	if err != nil {
		panic("app: a text is always JSON: " + err.Error())
	}
	sum, err := registry.CanonicalDigest(object)
	if err != nil {
		panic("app: a JSON object has a digest: " + err.Error())
	}
	return digest(sum)
}
