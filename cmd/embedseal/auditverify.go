package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"embedseal/adapters/auditlog"
	"embedseal/domain/audit"
	"embedseal/domain/secret"
)

// verified is what came of the verification of a log.
type verified struct {
	OK       bool           `json:"ok"`
	Records  uint64         `json:"records"`
	Findings []auditFinding `json:"findings"`
}

type auditFinding struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

func (p *program) auditVerifyCommand() *cobra.Command {
	var files []string
	var keyFile string
	c := &cobra.Command{
		Use: "verify [FILE ...]", Short: "Look for lines of the audit log that were edited, removed, moved or cut off",
		Long: "verify asks the server to read its log from the beginning, and prints what is wrong with it and where (exit 1).\n" +
			"With --file it reads archived files itself, in any order and without a server. Nothing is known then of what\n" +
			"follows the last.",
		Example: "  embedseal audit verify\n  embedseal audit verify --key-file audit-key --file archive/audit.log*",
		Args:    cobra.ArbitraryArgs,
	}
	c.Flags().StringArrayVar(&files, "file", nil, "archived file of one log, repeatable, or followed by more of them; no server is asked then")
	c.Flags().StringVar(&keyFile, "key-file", "", "file with the key of the log, as audit key writes it; - is standard input")
	asked := p.administer(c, func(ctx context.Context, a admin, _ []string) error {
		got, err := a.do(ctx, adminCall{method: http.MethodPost, path: "/audit/verify", patience: verifyPatience})
		if err != nil {
			return err
		}
		v, err := understood[verified](got.body)
		if err != nil {
			return err
		}
		return p.showVerified(v, got.body)
	})
	online := asked.RunE
	asked.RunE = func(c *cobra.Command, args []string) error {
		if len(files) == 0 && len(args) == 0 && keyFile == "" {
			return online(c, args)
		}
		return verb(func() error { return p.verifyFiles(c.Context(), files, args, keyFile) })
	}
	return asked
}

// verifyFiles looks at archived files, and asks nobody.
func (p *program) verifyFiles(ctx context.Context, files, more []string, keyFile string) error {
	if len(files) == 0 || keyFile == "" {
		return usage(errors.New("--file and --key-file go together"))
	}
	files = append(files, more...) // what a shell made of --file audit.log*
	key, err := p.chainKey(ctx, keyFile)
	if err != nil {
		return err
	}
	report, err := auditlog.Verify(ctx, auditlog.Check{Files: files, Key: key})
	if err != nil {
		return err
	}
	v := verified{OK: report.OK(), Records: report.Records, Findings: []auditFinding{}}
	for _, f := range report.Findings {
		v.Findings = append(v.Findings, auditFinding{File: f.File, Line: f.Line, Seq: f.Seq, Kind: string(f.Kind), Detail: f.Detail})
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return p.showVerified(v, body)
}

// chainKey reads what audit key wrote: the key in hex, or the answer of the API.
func (p *program) chainKey(ctx context.Context, path string) (audit.ChainKey, error) {
	text, err := p.readInput(ctx, path, "key of the audit log")
	if err != nil {
		return audit.ChainKey{}, err
	}
	text = strings.TrimSpace(text)
	answer := auditKey{Key: text}
	if strings.HasPrefix(text, "{") {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			return audit.ChainKey{}, fmt.Errorf("what is in %s is not the key of an audit log", path)
		}
	}
	key, err := hex.DecodeString(answer.Key)
	if err != nil || len(key) != audit.KeySize { // the error would show some of it
		return audit.ChainKey{}, fmt.Errorf("what is in %s is not the key of an audit log: want %d digits of hex", path, 2*audit.KeySize)
	}
	return audit.ChainKey{Log: answer.Log, Key: secret.New(string(key))}, nil
}

func (p *program) showVerified(v verified, body []byte) error {
	if p.output == "json" {
		if err := p.printRaw(body); err != nil {
			return err
		}
	} else {
		p.sayVerified(v)
	}
	if !v.OK {
		return &failed{code: exitFailure, err: fmt.Errorf("%w: the audit log is not what was written", errSaid)}
	}
	return nil
}

// sayVerified says what stands out, and whether it is a fault.
func (p *program) sayVerified(v verified) {
	for _, f := range v.Findings {
		where := shown(f.File)
		if f.Line > 0 {
			where += fmt.Sprintf(":%d", f.Line)
		}
		if f.Seq > 0 {
			where += fmt.Sprintf(" (record %d)", f.Seq)
		}
		p.say("%s: %s: %s", where, shown(f.Kind), shown(f.Detail))
	}
	if v.OK {
		p.say("The audit log is what was written: %d records.", v.Records)
		return
	}
	p.say("The audit log is NOT what was written. %d records are.", v.Records)
}
