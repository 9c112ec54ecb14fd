//go:build !ostiary_cloudkms

package kms

// cloudBuilt says that this build reaches no cloud: their clients would add a
// third to the program.
const cloudBuilt = false

func openAWS(AWS, Means) (Root, error) { return nil, Absent(ProviderAWS) }

func openGCP(GCP, Means) (Root, error) { return nil, Absent(ProviderGCP) }
