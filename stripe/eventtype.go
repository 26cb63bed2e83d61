package stripe

// The types of the events about this package's objects
// (https://docs.stripe.com/api/events/types). An upcoming invoice has no id: it is
// a preview.
const (
	BalanceAvailable EventType[Balance] = "balance.available"

	ChargeCaptured  EventType[Charge] = "charge.captured"
	ChargeExpired   EventType[Charge] = "charge.expired"
	ChargeFailed    EventType[Charge] = "charge.failed"
	ChargePending   EventType[Charge] = "charge.pending"
	ChargeRefunded  EventType[Charge] = "charge.refunded"
	ChargeSucceeded EventType[Charge] = "charge.succeeded"
	ChargeUpdated   EventType[Charge] = "charge.updated"

	DisputeClosed          EventType[Dispute] = "charge.dispute.closed"
	DisputeCreated         EventType[Dispute] = "charge.dispute.created"
	DisputeFundsReinstated EventType[Dispute] = "charge.dispute.funds_reinstated"
	DisputeFundsWithdrawn  EventType[Dispute] = "charge.dispute.funds_withdrawn"
	DisputeUpdated         EventType[Dispute] = "charge.dispute.updated"

	CheckoutSessionAsyncPaymentFailed    EventType[CheckoutSession] = "checkout.session.async_payment_failed"
	CheckoutSessionAsyncPaymentSucceeded EventType[CheckoutSession] = "checkout.session.async_payment_succeeded"
	CheckoutSessionCompleted             EventType[CheckoutSession] = "checkout.session.completed"
	CheckoutSessionExpired               EventType[CheckoutSession] = "checkout.session.expired"

	CustomerCreated EventType[Customer] = "customer.created"
	CustomerDeleted EventType[Customer] = "customer.deleted"
	CustomerUpdated EventType[Customer] = "customer.updated"

	InvoiceCreated               EventType[Invoice] = "invoice.created"
	InvoiceDeleted               EventType[Invoice] = "invoice.deleted"
	InvoiceFinalizationFailed    EventType[Invoice] = "invoice.finalization_failed"
	InvoiceFinalized             EventType[Invoice] = "invoice.finalized"
	InvoiceMarkedUncollectible   EventType[Invoice] = "invoice.marked_uncollectible"
	InvoiceOverdue               EventType[Invoice] = "invoice.overdue"
	InvoiceOverpaid              EventType[Invoice] = "invoice.overpaid"
	InvoicePaid                  EventType[Invoice] = "invoice.paid"
	InvoicePaymentActionRequired EventType[Invoice] = "invoice.payment_action_required"
	InvoicePaymentFailed         EventType[Invoice] = "invoice.payment_failed"
	InvoicePaymentSucceeded      EventType[Invoice] = "invoice.payment_succeeded"
	InvoiceSent                  EventType[Invoice] = "invoice.sent"
	InvoiceUpcoming              EventType[Invoice] = "invoice.upcoming"
	InvoiceUpdated               EventType[Invoice] = "invoice.updated"
	InvoiceVoided                EventType[Invoice] = "invoice.voided"
	InvoiceWillBeDue             EventType[Invoice] = "invoice.will_be_due"

	PaymentIntentAmountCapturableUpdated EventType[PaymentIntent] = "payment_intent.amount_capturable_updated"
	PaymentIntentCanceled                EventType[PaymentIntent] = "payment_intent.canceled"
	PaymentIntentCreated                 EventType[PaymentIntent] = "payment_intent.created"
	PaymentIntentPartiallyFunded         EventType[PaymentIntent] = "payment_intent.partially_funded"
	PaymentIntentPaymentFailed           EventType[PaymentIntent] = "payment_intent.payment_failed"
	PaymentIntentProcessing              EventType[PaymentIntent] = "payment_intent.processing"
	PaymentIntentRequiresAction          EventType[PaymentIntent] = "payment_intent.requires_action"
	PaymentIntentSucceeded               EventType[PaymentIntent] = "payment_intent.succeeded"

	PaymentMethodAttached             EventType[PaymentMethod] = "payment_method.attached"
	PaymentMethodAutomaticallyUpdated EventType[PaymentMethod] = "payment_method.automatically_updated"
	PaymentMethodDetached             EventType[PaymentMethod] = "payment_method.detached"
	PaymentMethodUpdated              EventType[PaymentMethod] = "payment_method.updated"

	PriceCreated EventType[Price] = "price.created"
	PriceDeleted EventType[Price] = "price.deleted"
	PriceUpdated EventType[Price] = "price.updated"

	ProductCreated EventType[Product] = "product.created"
	ProductDeleted EventType[Product] = "product.deleted"
	ProductUpdated EventType[Product] = "product.updated"

	RefundCreated EventType[Refund] = "refund.created"
	RefundFailed  EventType[Refund] = "refund.failed"
	RefundUpdated EventType[Refund] = "refund.updated"

	SetupIntentCanceled       EventType[SetupIntent] = "setup_intent.canceled"
	SetupIntentCreated        EventType[SetupIntent] = "setup_intent.created"
	SetupIntentRequiresAction EventType[SetupIntent] = "setup_intent.requires_action"
	SetupIntentSetupFailed    EventType[SetupIntent] = "setup_intent.setup_failed"
	SetupIntentSucceeded      EventType[SetupIntent] = "setup_intent.succeeded"

	SubscriptionCreated              EventType[Subscription] = "customer.subscription.created"
	SubscriptionDeleted              EventType[Subscription] = "customer.subscription.deleted"
	SubscriptionPaused               EventType[Subscription] = "customer.subscription.paused"
	SubscriptionPendingUpdateApplied EventType[Subscription] = "customer.subscription.pending_update_applied"
	SubscriptionPendingUpdateExpired EventType[Subscription] = "customer.subscription.pending_update_expired"
	SubscriptionResumed              EventType[Subscription] = "customer.subscription.resumed"
	SubscriptionTrialWillEnd         EventType[Subscription] = "customer.subscription.trial_will_end"
	SubscriptionUpdated              EventType[Subscription] = "customer.subscription.updated"
)
