package identity

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// ClientKeys reads the public keys with which a client signs: 1 to 16, in at
// most 16 KiB, and not one private or symmetric key among them.
func ClientKeys(jwks []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if len(jwks) > 16<<10 {
		return set, errors.New("the client's keys are larger than 16 KiB")
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return set, fmt.Errorf("read the client's keys: %w", err)
	}
	if len(set.Keys) == 0 || len(set.Keys) > 16 {
		return set, errors.New("a client has 1 to 16 keys")
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			return set, errors.New("a client's key is not a public one")
		}
	}
	return set, nil
}
