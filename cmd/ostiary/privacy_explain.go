package main

import (
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
	profiles "ostiary.dev/ostiary/internal/privacy"
)

// door compiles a profile that ships and can stand at the door, or returns nil.
func door(profile string) *profiles.Profile {
	if !slices.Contains(profiles.Names(), profile) {
		return nil
	}
	p, err := profiles.Compile(profiles.Config{Profile: profile})
	if err != nil {
		return nil
	}
	return p
}

// verdict returns what a profile of the door makes of a type in each zone:
// "clear keep, token token, minimal redact, sealed block". Where the direction
// matters both are named. A word that is no such profile gives nil.
func verdict(profile string) func(typ pii.Type, sub string) string {
	p := door(profile)
	if p == nil {
		return nil
	}
	return func(typ pii.Type, sub string) string {
		var parts []string
		for _, z := range []profiles.Zone{profiles.ZoneClear, profiles.ZoneToken, profiles.ZoneMinimal, profiles.ZoneSealed} {
			server := p.Decide(profiles.Where{Toward: profiles.Server, Zone: z}, typ, sub)
			client := p.Decide(profiles.Where{Toward: profiles.Client, Zone: z}, typ, sub)
			text := string(z) + " " + string(server)
			if server != client {
				text += "/" + string(client)
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, ", ")
	}
}
