package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
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
	c := &cobra.Command{
		Use: "verify", Short: "Look for lines of the audit log that were edited, removed, moved or cut off",
		Long:    "verify asks the server to read its log from the beginning, and prints what is wrong with it and where (exit 1).",
		Example: "  embedseal audit verify",
	}
	return p.administer(c, func(ctx context.Context, a admin, _ []string) error {
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
