//go:build !ostiary_cloudkms

package kms

// openAWS refuses by name: the cloud's client is not in this build.
func openAWS(AWS, Means) (Root, error) {
	return nil, why(ErrBuild, "provider aws-kms is in the build with the tag ostiary_cloudkms (make cloudkms)")
}

// openGCP refuses by name: the cloud's client is not in this build.
func openGCP(GCP, Means) (Root, error) {
	return nil, why(ErrBuild, "provider gcp-kms is in the build with the tag ostiary_cloudkms (make cloudkms)")
}
