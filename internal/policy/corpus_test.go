package policy

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// corpusTest is one test of Cedar's conformance corpus, which the Cedar project
// publishes with the answers of its implementation in Rust.
type corpusTest struct {
	Policies, Entities string
	Requests           []corpusRequest
}

type corpusRequest struct {
	Principal, Action, Resource struct{ Type, ID string }
	Context                     cedar.Record
	Decision                    string
	Reason, Errors              []string
}

// corpus reads the archive that comes inside cedar-go's module.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cedar-policy/cedar-go").Output()
	dir := strings.TrimSpace(string(out))
	if err == nil && dir == "" {
		err = errors.New("the module's sources are not at hand")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: Cedar's corpus cannot be found: %v", err)
	}
	f, err := os.Open(filepath.Join(dir, "corpus-tests.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files, archive := map[string][]byte{}, tar.NewReader(unzipped)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCedarCorpus: on Cedar's own conformance corpus, the engine as we use it
// says what the implementation in Rust says: all policies at once, one after the
// other, and in part, with members of the context not known, as lists ask.
func TestCedarCorpus(t *testing.T) {
	files := corpus(t)
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".entities.json") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	asked, partly, left := 0, map[verdict]int{}, 0
	for _, name := range names {
		var test corpusTest
		if err := json.Unmarshal(files[name], &test); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		set, err := cedar.NewPolicySetFromBytes(name, files[test.Policies])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var entities types.EntityMap
		if json.Unmarshal(files[test.Entities], &entities) != nil {
			left++ // they can only be read with their schema
			continue
		}
		for n, r := range test.Requests {
			asked++
			corpusCase(t, set, entities, r, partly)
			if t.Failed() {
				t.Fatalf("%s, request %d", name, n)
			}
		}
	}
	t.Logf("%d requests, %d tests left out; in part: %v", asked, left, partly)
	if asked < 4000 || partly[yes] == 0 || partly[no] == 0 || partly[wrong] == 0 { // no policy of the corpus reads the context
		t.Error("too little was asked")
	}
}

func corpusCase(t *testing.T, set *cedar.PolicySet, entities types.EntityMap, r corpusRequest, partly map[verdict]int) {
	t.Helper()
	req := cedar.Request{Principal: uid(types.EntityType(r.Principal.Type), r.Principal.ID), Action: uid(types.EntityType(r.Action.Type), r.Action.ID),
		Resource: uid(types.EntityType(r.Resource.Type), r.Resource.ID), Context: r.Context}
	answer, diag := cedar.Authorize(set, entities, req)
	if answer.String() != r.Decision || !slices.Equal(named(diag.Reasons), sorted(r.Reason)) || len(diag.Errors) != len(r.Errors) {
		t.Errorf("all at once: %v %+v, want %+v", answer, diag, r)
	}
	var permits, forbids, failed []string
	for id, p := range set.All() {
		one := &rule{id: string(id), policy: p}
		_, diag := cedar.Authorize(one, entities, req)
		said := no
		switch {
		case len(diag.Errors) > 0:
			said, failed = wrong, append(failed, string(id))
		case len(diag.Reasons) > 0 && p.Effect() == cedar.Forbid:
			said, forbids = yes, append(forbids, string(id))
		case len(diag.Reasons) > 0:
			said, permits = yes, append(permits, string(id))
		}
		partly[inPart(t, p, entities, req, said)]++
	}
	reasons := permits
	if len(forbids) > 0 {
		reasons = forbids
	}
	if !slices.Equal(sorted(failed), sorted(r.Errors)) || !slices.Equal(sorted(reasons), sorted(r.Reason)) || (len(forbids) == 0 && len(permits) > 0) != (r.Decision == "allow") {
		t.Errorf("one by one: permits %v, forbids %v, failed %v, want %+v", permits, forbids, failed, r)
	}
}

// inPart asks without the members of the context. What is then certain must be
// what the whole question says.
func inPart(t *testing.T, p *cedar.Policy, entities types.EntityMap, req cedar.Request, said verdict) verdict {
	t.Helper()
	open := types.RecordMap{}
	for name := range req.Context.Keys() {
		open[name] = eval.Variable(name)
	}
	env := eval.Env{Entities: entities, Principal: req.Principal, Action: req.Action, Resource: req.Resource, Context: types.NewRecord(open)}
	v := partialIn(env, (*ast.Policy)(p.AST()))
	// A rule that is certain not to match may still fail, which refuses the call.
	if v == yes && said == no || v == no && said == yes || v == wrong && said != wrong {
		t.Errorf("in part %v, but %v\n%s", v, said, p.MarshalCedar())
	}
	return v
}

func named(reasons []cedar.DiagnosticReason) (out []string) {
	for _, r := range reasons {
		out = append(out, string(r.PolicyID))
	}
	return sorted(out)
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
