package stripe

import (
	"context"
	"iter"
	"net/url"
	"time"

	"github.com/aplomb-go/aplomb"
)

// Dispute is a charge that the customer contests at their bank
// (https://docs.stripe.com/api/disputes/object). What was said against it is in
// Raw, as evidence.
type Dispute struct {
	ID string `json:"id"`
	// Amount is in the currency's minor unit, as [ParseAmount] counts.
	Amount int64 `json:"amount"`
	// Currency is a lower-case ISO 4217 code.
	Currency string `json:"currency"`
	// Status is warning_needs_response, warning_under_review, warning_closed,
	// needs_response, under_review, won or lost; newer versions also have
	// prevented.
	Status string `json:"status"`
	// Reason is what the customer says, such as fraudulent, duplicate or
	// product_not_received.
	Reason        string                    `json:"reason"`
	Charge        Expandable[Charge]        `json:"charge"`
	PaymentIntent Expandable[PaymentIntent] `json:"payment_intent"`
	// BalanceTransactions are what was taken from the account and given back.
	BalanceTransactions []BalanceTransaction `json:"balance_transactions"`
	EvidenceDetails     EvidenceDetails      `json:"evidence_details"`
	// IsChargeRefundable says that the payment may still be given back instead.
	IsChargeRefundable bool              `json:"is_charge_refundable"`
	Metadata           map[string]string `json:"metadata"`
	Created            time.Time         `json:"created"`
	Livemode           bool              `json:"livemode"`
	// Raw is the whole object as it came.
	Raw Raw `json:"-"`
}

// EvidenceDetails are what is known of a dispute's evidence.
type EvidenceDetails struct {
	// DueBy is until when the bank takes evidence; zero: it takes none.
	DueBy time.Time `json:"due_by"`
	// HasEvidence says that some is staged, PastDue that the last was submitted
	// too late.
	HasEvidence bool `json:"has_evidence"`
	PastDue     bool `json:"past_due"`
	// SubmissionCount is how often evidence was submitted; most banks take it once.
	SubmissionCount int `json:"submission_count"`
}

// UnmarshalJSON reads a dispute and keeps it in Raw.
func (d *Dispute) UnmarshalJSON(raw []byte) error { return decode(raw, d) }

// String is the id, amount and status, such as "dispute dp_1 25.00 USD
// needs_response".
func (d Dispute) String() string {
	return "dispute " + d.ID + " " + FormatAmount(d.Amount, d.Currency) + " " + d.Status
}

// DisputeEvidenceParams are what can be said against a dispute. A zero field is
// not sent; all texts together have at most 150,000 characters.
type DisputeEvidenceParams struct {
	ProductDescription   string `form:"product_description"`
	CustomerName         string `form:"customer_name"`
	CustomerEmailAddress string `form:"customer_email_address"`
	CustomerPurchaseIP   string `form:"customer_purchase_ip"`
	BillingAddress       string `form:"billing_address"`
	// AccessActivityLog shows that the customer got at what was sold online.
	AccessActivityLog string `form:"access_activity_log"`
	// ServiceDate and ShippingDate are as a person writes them.
	ServiceDate            string `form:"service_date"`
	ShippingDate           string `form:"shipping_date"`
	ShippingAddress        string `form:"shipping_address"`
	ShippingCarrier        string `form:"shipping_carrier"`
	ShippingTrackingNumber string `form:"shipping_tracking_number"`
	// The disclosures say how the customer was shown the policies, the other two
	// why there was no cancellation and no refund.
	CancellationPolicyDisclosure string `form:"cancellation_policy_disclosure"`
	CancellationRebuttal         string `form:"cancellation_rebuttal"`
	RefundPolicyDisclosure       string `form:"refund_policy_disclosure"`
	RefundRefusalExplanation     string `form:"refund_refusal_explanation"`
	// DuplicateChargeID is that of the charge this one is said to repeat.
	DuplicateChargeID          string `form:"duplicate_charge_id"`
	DuplicateChargeExplanation string `form:"duplicate_charge_explanation"`
	UncategorizedText          string `form:"uncategorized_text"`
	// These are ids of files, uploaded for the purpose dispute_evidence.
	CancellationPolicy           string `form:"cancellation_policy"`
	CustomerCommunication        string `form:"customer_communication"`
	CustomerSignature            string `form:"customer_signature"`
	DuplicateChargeDocumentation string `form:"duplicate_charge_documentation"`
	Receipt                      string `form:"receipt"`
	RefundPolicy                 string `form:"refund_policy"`
	ServiceDocumentation         string `form:"service_documentation"`
	ShippingDocumentation        string `form:"shipping_documentation"`
	UncategorizedFile            string `form:"uncategorized_file"`
}

// DisputeUpdateParams answer a dispute. A zero field is not sent and so stays as
// it is; [Clear] unsets it.
type DisputeUpdateParams struct {
	Evidence *DisputeEvidenceParams `form:"evidence"`
	// Submit is true unless new(false) says that the evidence is only staged: what
	// is submitted cannot be taken back.
	Submit *bool `form:"submit"`
	// Metadata is laid over what there is; an empty value deletes its pair.
	Metadata map[string]string `form:"metadata"`
	// Expand names objects to give whole, not by their ids.
	Expand []string `form:"expand"`
	// Extra are parameters that have no field here. They are sent as they are.
	Extra url.Values `form:"*"`
}

// DisputeListParams narrow a list of disputes. A zero field is not sent.
type DisputeListParams struct {
	// Charge and PaymentIntent are ids.
	Charge        string    `form:"charge"`
	PaymentIntent string    `form:"payment_intent"`
	Created       TimeRange `form:"created"`
	// The rest is that of every list: see [ListParams].
	Limit         int        `form:"limit"`
	StartingAfter string     `form:"starting_after"`
	EndingBefore  string     `form:"ending_before"`
	Expand        []string   `form:"expand"`
	Extra         url.Values `form:"*"`
}

// Disputes are charges that customers contest.
type Disputes struct{ c *Client }

// Retrieve reads a dispute.
func (s Disputes) Retrieve(ctx context.Context, id string, opts ...aplomb.CallOption) (*Dispute, error) {
	return Get[Dispute](ctx, s.c, "/v1/disputes/{id}", nil, byID(id, opts)...)
}

// Update answers a dispute, with evidence that goes to the bank unless Submit is
// new(false).
func (s Disputes) Update(ctx context.Context, id string, p DisputeUpdateParams, opts ...aplomb.CallOption) (*Dispute, error) {
	return Post[Dispute](ctx, s.c, "/v1/disputes/{id}", p, byID(id, opts)...)
}

// Close gives in: the dispute is lost, and that is final.
func (s Disputes) Close(ctx context.Context, id string, opts ...aplomb.CallOption) (*Dispute, error) {
	return Post[Dispute](ctx, s.c, "/v1/disputes/{id}/close", nil, byID(id, opts)...)
}

// List ranges over disputes, newest first. See [List].
func (s Disputes) List(ctx context.Context, p DisputeListParams, opts ...aplomb.CallOption) iter.Seq2[*Dispute, error] {
	return List[Dispute](ctx, s.c, "/v1/disputes", p, opts...)
}
