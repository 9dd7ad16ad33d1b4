package audit

import "slices"

// Actions lists every action, in the order of the constants.
func Actions() []Action {
	return []Action{
		ActionMint, ActionRequest, ActionMintDryRun, ActionVerify,
		ActionCreateGroup, ActionUpdateGroup, ActionUpdatePolicy, ActionDeleteGroup,
		ActionCreateKey, ActionImportKey, ActionUpdateKey, ActionDefaultKey, ActionRotateKey, ActionRetireKey,
		ActionDisableKey, ActionEnableKey, ActionDestroyKey, ActionRevealKey, ActionExportKey,
		ActionCreateToken, ActionUpdateToken, ActionRefreshToken, ActionRevokeToken,
		ActionRevoke,
		ActionRead, ActionAuditVerify, ActionRevealAuditKey,
		ActionAuditOpened, ActionAuditTorn, ActionAuditTruncated, ActionAuditPruned,
	}
}

// Outcomes lists every outcome.
func Outcomes() []Outcome { return []Outcome{Intent, Granted, Refused, Failed, Unknown} }

// Known reports whether there is such an action.
func (a Action) Known() bool { return slices.Contains(Actions(), a) }

// Known reports whether there is such an outcome.
func (o Outcome) Known() bool { return slices.Contains(Outcomes(), o) }
