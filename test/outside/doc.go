// Package outside holds tests that check what the gateway gives away with tools
// that other people wrote: torchwood's tlog client, Tessera's fsck, x/mod's
// tlog. Those are in the module thirdparty below, which nothing imports. It also
// takes access tokens of somebody else's OpenID provider, in the module idp. It
// touches temporary folders and loopback addresses only.
package outside
