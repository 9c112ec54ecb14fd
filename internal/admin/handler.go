package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxRequest bounds one request over the socket, in bytes.
const maxRequest = 8 << 20

// prefix is where the methods live.
const prefix = "/api/v1/"

// method is one function of API as bytes in and a value out.
type method func(ctx context.Context, api API, body []byte) (any, error)

// methods is the one table of what the socket offers; Client has the same
// names. TestSocketAndProcessAgree walks it.
var methods = map[string]method{
	"status":            call(API.Status),
	"server.submit":     call(API.SubmitServer),
	"server.approve":    call(API.ApproveServer),
	"server.move":       call(API.MoveServer),
	"server.scan":       call(API.ScanServer),
	"server.set":        call(API.SetServer),
	"server.list":       call(API.Servers),
	"server.get":        call(API.Server),
	"oauth.logins":      call(API.Logins),
	"oauth.end":         call(API.EndLogin),
	"oauth.clients":     call(API.OAuthClients),
	"oauth.register":    call(API.RegisterOAuthClient),
	"oauth.unregister":  call(API.RemoveOAuthClient),
	"credential.set":    call(API.SetCredential),
	"credential.list":   call(API.Credentials),
	"credential.remove": call(API.RemoveCredential),
	"credential.begin":  call(API.BeginLogin),
	"credential.finish": call(API.FinishLogin),
	"approval.list":     call(API.Approvals),
	"approval.get":      call(API.Approval),
	"approval.decide":   call(API.DecideApproval),
	"bypass.open":       call(API.OpenBypass),
	"bypass.close":      call(API.CloseBypass),
	"bypass.review":     call(API.ReviewBypass),
	"bypass.list":       call(API.Bypasses),
	"limit.set":         call(API.SetLimit),
	"limit.remove":      call(API.RemoveLimit),
	"limit.list":        call(API.Limits),
	"filter.apply":      call(API.ApplyFilter),
	"filter.remove":     call(API.RemoveFilter),
	"filter.list":       call(API.Filters),
	"filter.get":        call(API.Filter),
	"filter.suggest":    call(API.SuggestFilter),
	"filter.history":    call(API.FilterHistory),
	"filter.rollback":   call(API.RollbackFilter),
	"tool.list":         call(API.Tools),
	"tool.approve":      call(API.ApproveTool),
	"tool.set":          call(API.SetTool),
	"agent.register":    call(API.RegisterAgent),
	"agent.set":         call(API.SetAgent),
	"agent.move":        call(API.MoveAgent),
	"agent.list":        call(API.Agents),
	"agent.get":         call(API.Agent),
	"agent.certificate": call(API.IssueCertificate),
	"cert.list":         call(API.Certificates),
	"cert.revoke":       call(API.RevokeCertificate),
	"cert.issue":        call(API.IssueComponent),
	"cert.join-token":   call(API.CreateJoinToken),
	"cert.crl":          call(API.RevocationList),
	"ca.show":           call(API.Authority),
	"ca.export-root":    call(API.ExportRoot),
	"ca.drop-root":      call(API.DropRoot),
	"ca.request":        call(API.RequestIssuers),
	"ca.import-issuer":  call(API.ImportIssuers),
	"kill.switch":       call(API.Kill),
	"kill.list":         call(API.Kills),
	"token.create":      call(API.CreateToken),
	"token.list":        call(API.Tokens),
	"token.revoke":      call(API.RevokeToken),
	"token.explain":     call(API.ExplainToken),
	"access.grant":      call(API.Grant),
	"access.revoke":     call(API.Revoke),
	"access.list":       call(API.Grants),
	"access.explain":    call(API.Explain),
	"attach":            call(API.Attach),
	"backup.begin":      call(API.BackupBegin),
	"backup.read":       call(API.BackupRead),
	"backup.finish":     call(API.BackupFinish),
	"backup.list":       call(API.BackupList),
	"key.list":          call(API.Keys),
	"key.get":           call(API.Key),
	"key.rotate":        call(API.RotateKey),
	"key.destroy":       call(API.DestroyKey),
	"key.reseal":        call(API.ResealKey),
	"subject.erase":     call(API.EraseSubject),
	"vault.lookup":      call(API.VaultLookup),
	"vault.reveal":      call(API.VaultReveal),
	"vault.stats":       call(API.VaultStats),
	"vault.requests":    call(API.RevealRequests),
	"vault.decide":      call(API.DecideReveal),
	"data.export":       call(API.ExportData),
	"data.erase":        call(API.EraseData),
	"audit.query":       call(API.AuditQuery),
	"audit.follow":      call(API.AuditFollow),
	"audit.logs":        call(API.AuditLogs),
	"audit.show":        call(API.AuditShow),
	"audit.verify":      call(API.AuditVerify),
	"audit.checkpoint":  call(API.AuditCheckpoint),
	"audit.prove":       call(API.AuditProve),
	"audit.export":      call(API.AuditExport),
	"audit.entries":     call(API.AuditEntries),
	"audit.hashes":      call(API.AuditHashes),
	"policy.check":      call(API.PolicyCheck),
	"policy.test":       call(API.PolicyTest),
	"policy.diff":       call(API.PolicyDiff),
	"policy.apply":      call(API.PolicyApply),
	"policy.history":    call(API.PolicyHistory),
	"policy.show":       call(API.PolicyShow),
	"policy.rollback":   call(API.PolicyRollback),
	"policy.propose":    call(API.PolicyPropose),
	"policy.proposals":  call(API.PolicyProposals),
	"policy.decide":     call(API.PolicyDecide),
	"policy.shadow":     call(API.PolicyShadow),
	"policy.unshadow":   call(API.PolicyEndShadow),
	"policy.replay":     call(API.PolicyReplay),
	"policy.schema":     call(API.PolicySchema),
	"access.who":        call(API.WhoCan),
	"access.what":       call(API.WhatCan),
	"access.unused":     call(API.Unused),
	"access.request":    call(API.RequestAccess),
	"access.requests":   call(API.AccessRequests),
	"access.decide":     call(API.DecideRequest),
	"user.invite":       call(API.InviteUser),
	"user.set":          call(API.SetUser),
	"user.move":         call(API.MoveUser),
	"user.list":         call(API.Users),
	"user.get":          call(API.User),
	"witness.list":      call(API.WitnessList),
	"witness.change":    call(API.ChangeWitness),
}

func call[Req, Resp any](f func(API, context.Context, Req) (Resp, error)) method {
	return func(ctx context.Context, api API, body []byte) (any, error) {
		var r Req
		if err := strict(body, &r); err != nil {
			return nil, err
		}
		return f(api, ctx, r)
	}
}

// strict reads exactly one JSON object. A field that the request does not have
// is refused, so that nobody sets what is not his to set (K04).
func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &Error{Code: Invalid, Message: "the request cannot be read", Cause: err.Error(),
			Fix: "use a command line of the gateway's own version"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "the request is followed by something else")
	}
	return nil
}

// Socket serves Admin on a Unix socket to the same user and to root.
type Socket struct {
	server *http.Server
	done   chan struct{}
}

// Serve listens at path, which it makes readable by the owner only, until
// Close. log receives what goes wrong.
func (a *Admin) Serve(path string, log func(msg string, err error)) (*Socket, error) {
	l, err := listenSocket(path)
	if err != nil {
		return nil, err
	}
	s := &Socket{done: make(chan struct{})}
	s.server = &http.Server{
		Handler:           handler{a},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute, // longer than an examination
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, peerOf(c))
		},
		ErrorLog: nil,
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log("the operator's socket ended", err)
		}
	}()
	return s, nil
}

// Close waits for the requests under way, but no longer than ctx allows.
func (s *Socket) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.done
	return err
}

// peerKey finds the connection's peer in the context that net/http hands to
// the handler: the one value that only ConnContext can pass on.
type peerKey struct{}

// peer is the process at the other end, as the kernel tells it.
type peer struct {
	uid uint32
	err error
}

type handler struct{ admin *Admin }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	result, err := h.serve(w, r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Code: Failed, Message: "the request failed", Cause: err.Error()}
		}
		w.WriteHeader(statusOf(e.Code))
		result = map[string]*Error{"error": e}
	}
	if err := json.NewEncoder(w).Encode(result); err != nil {
		return // the peer is gone
	}
}

func (h handler) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok || p.err != nil || !mayOperate(p.uid) {
		return nil, &Error{Code: Forbidden, Message: "only the user that the gateway runs as may do this"}
	}
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok || methods[name] == nil {
		return nil, &Error{Code: NotFound, Message: "there is no such function", Fix: "use a command line of the gateway's own version"}
	}
	if r.Method != http.MethodPost {
		return nil, invalid("", "use POST")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, &Error{Code: Invalid, Message: "the request cannot be read", Cause: err.Error()}
	}
	return h.admin.Call(r.Context(), Caller{Name: operatorName(p.uid), Socket: true}, name, body)
}

// operatorName is how a local user stands in the record.
func operatorName(uid uint32) string { return fmt.Sprintf("uid:%d", uid) }

func statusOf(c Code) int {
	switch c {
	case Invalid:
		return http.StatusBadRequest
	case NotFound:
		return http.StatusNotFound
	case Exists, Conflict, Drift, Integrity:
		return http.StatusConflict
	case Forbidden:
		return http.StatusForbidden
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
