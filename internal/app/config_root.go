package app

// KeysConfig is where the gateway's keys begin.
type KeysConfig struct {
	// Root is the root key, which opens all others. Default: a file in the
	// folder keys of the data directory. A root key that cannot be reached
	// keeps the gateway from starting.
	Root RootConfig `yaml:"root"`
}

// RootConfig says where the root key is. Exactly the section of the provider
// may be set. To change the provider of a gateway that exists, move the key:
// ostiary key root move.
type RootConfig struct {
	// Provider is "file", a plain file beside the data; "passphrase", a file
	// sealed with one; "vault", a key of the transit engine of Vault or
	// OpenBao; "aws-kms" and "gcp-kms", keys of the two clouds' services, in
	// the build for them; or "pkcs11", a key in a token, in the build for it.
	// Default: file.
	Provider string `yaml:"provider" enum:"file,passphrase,vault,aws-kms,gcp-kms,pkcs11"`
	// Passphrase is a reference to the passphrase of provider passphrase:
	// env:NAME or file:PATH.
	Passphrase string `yaml:"passphrase"`
	// Vault is the key of provider vault.
	Vault VaultRoot `yaml:"vault"`
	// AWS is the key of provider aws-kms.
	AWS AWSRoot `yaml:"aws_kms"`
	// GCP is the key of provider gcp-kms.
	GCP GCPRoot `yaml:"gcp_kms"`
	// PKCS11 is the key of provider pkcs11.
	PKCS11 PKCS11Root `yaml:"pkcs11"`
}

// VaultRoot is a key of the transit engine of Vault or OpenBao. The credential
// is token, or role_id with secret_id. It is read anew for each use.
type VaultRoot struct {
	// Address is the server's https URL, such as
	// https://vault.example.com:8200. Plain http is accepted for a literal
	// loopback address.
	Address string `yaml:"address"`
	// Mount is the path of the transit engine. Default: transit.
	Mount string `yaml:"mount"`
	// Key is the name of a symmetric key that exists. It is never made.
	Key string `yaml:"key"`
	// Token is a reference to a token, env:NAME or file:PATH.
	Token string `yaml:"token"`
	// RoleID is a reference to the role id of an AppRole.
	RoleID string `yaml:"role_id"`
	// SecretID is a reference to its secret id.
	SecretID string `yaml:"secret_id"`
	// AuthMount is the path of the AppRole method. Default: approle.
	AuthMount string `yaml:"auth_mount"`
	// CA is "file:" and the path of a PEM bundle that replaces the system's
	// certificate authorities.
	CA string `yaml:"ca"`
	// Namespace is sent with each request. Default: none.
	Namespace string `yaml:"namespace"`
	// TLS12 also speaks TLS 1.2, to a server that has no 1.3.
	TLS12 bool `yaml:"tls12"`
}

// AWSRoot is a symmetric key of AWS KMS.
type AWSRoot struct {
	// KeyARN names the key: arn:aws:kms:REGION:ACCOUNT:key/ID.
	KeyARN string `yaml:"key_arn"`
	// Region is where the key is asked for. Default: the ARN's.
	Region string `yaml:"region"`
	// AccessKey is a reference to the access key id, env:NAME or file:PATH.
	AccessKey string `yaml:"access_key"`
	// SecretKey is a reference to the secret access key.
	SecretKey string `yaml:"secret_key"`
	// SessionToken is a reference to the token of a temporary credential.
	// Default: none.
	SessionToken string `yaml:"session_token"`
	// Endpoint is the https URL of a private endpoint. Default: the
	// region's.
	Endpoint string `yaml:"endpoint"`
	// CA is "file:" and the path of a PEM bundle for that endpoint.
	CA string `yaml:"ca"`
	// DeletionDays is how long the service keeps a destroyed key.
	// Default: 30.
	DeletionDays int `yaml:"deletion_days" min:"7" max:"30"`
}

// GCPRoot is a symmetric key of Google Cloud KMS.
type GCPRoot struct {
	// Key is projects/P/locations/L/keyRings/R/cryptoKeys/K.
	Key string `yaml:"key"`
	// Credentials is a reference to the JSON key of a service account.
	Credentials string `yaml:"credentials"`
	// Endpoint is the https URL of a private endpoint. Default: Google's.
	Endpoint string `yaml:"endpoint"`
	// CA is "file:" and the path of a PEM bundle for that endpoint.
	CA string `yaml:"ca"`
}

// PKCS11Root is an AES key in a PKCS#11 token, made there and not extractable.
type PKCS11Root struct {
	// Module is the absolute path of the token's library. Whoever can change
	// that file runs code as the gateway.
	Module string `yaml:"module"`
	// Token is the token's label.
	Token string `yaml:"token"`
	// Label is the key's label.
	Label string `yaml:"label"`
	// PIN is a reference to the user's PIN, env:NAME or file:PATH.
	PIN string `yaml:"pin"`
}
