package stripe

// EventType is the type of the events that are about a T. There is one for each
// event of this package's objects, such as [EventPaymentIntentSucceeded]; for another
// write your own:
//
//	const TopupSucceeded stripe.EventType[Topup] = "topup.succeeded"
type EventType[T any] string

// The types of the events about this package's objects
// (https://docs.stripe.com/api/events/types). An upcoming invoice has no id: it is
// a preview.
const (
	EventBalanceAvailable EventType[Balance] = "balance.available"

	EventChargeCaptured  EventType[Charge] = "charge.captured"
	EventChargeExpired   EventType[Charge] = "charge.expired"
	EventChargeFailed    EventType[Charge] = "charge.failed"
	EventChargePending   EventType[Charge] = "charge.pending"
	EventChargeRefunded  EventType[Charge] = "charge.refunded"
	EventChargeSucceeded EventType[Charge] = "charge.succeeded"
	EventChargeUpdated   EventType[Charge] = "charge.updated"

	EventDisputeClosed          EventType[Dispute] = "charge.dispute.closed"
	EventDisputeCreated         EventType[Dispute] = "charge.dispute.created"
	EventDisputeFundsReinstated EventType[Dispute] = "charge.dispute.funds_reinstated"
	EventDisputeFundsWithdrawn  EventType[Dispute] = "charge.dispute.funds_withdrawn"
	EventDisputeUpdated         EventType[Dispute] = "charge.dispute.updated"

	EventCheckoutSessionAsyncPaymentFailed    EventType[CheckoutSession] = "checkout.session.async_payment_failed"
	EventCheckoutSessionAsyncPaymentSucceeded EventType[CheckoutSession] = "checkout.session.async_payment_succeeded"
	EventCheckoutSessionCompleted             EventType[CheckoutSession] = "checkout.session.completed"
	EventCheckoutSessionExpired               EventType[CheckoutSession] = "checkout.session.expired"

	EventCustomerCreated EventType[Customer] = "customer.created"
	EventCustomerDeleted EventType[Customer] = "customer.deleted"
	EventCustomerUpdated EventType[Customer] = "customer.updated"

	EventInvoiceCreated               EventType[Invoice] = "invoice.created"
	EventInvoiceDeleted               EventType[Invoice] = "invoice.deleted"
	EventInvoiceFinalizationFailed    EventType[Invoice] = "invoice.finalization_failed"
	EventInvoiceFinalized             EventType[Invoice] = "invoice.finalized"
	EventInvoiceMarkedUncollectible   EventType[Invoice] = "invoice.marked_uncollectible"
	EventInvoiceOverdue               EventType[Invoice] = "invoice.overdue"
	EventInvoiceOverpaid              EventType[Invoice] = "invoice.overpaid"
	EventInvoicePaid                  EventType[Invoice] = "invoice.paid"
	EventInvoicePaymentActionRequired EventType[Invoice] = "invoice.payment_action_required"
	EventInvoicePaymentFailed         EventType[Invoice] = "invoice.payment_failed"
	EventInvoicePaymentSucceeded      EventType[Invoice] = "invoice.payment_succeeded"
	EventInvoiceSent                  EventType[Invoice] = "invoice.sent"
	EventInvoiceUpcoming              EventType[Invoice] = "invoice.upcoming"
	EventInvoiceUpdated               EventType[Invoice] = "invoice.updated"
	EventInvoiceVoided                EventType[Invoice] = "invoice.voided"
	EventInvoiceWillBeDue             EventType[Invoice] = "invoice.will_be_due"

	EventPaymentIntentAmountCapturableUpdated EventType[PaymentIntent] = "payment_intent.amount_capturable_updated"
	EventPaymentIntentCanceled                EventType[PaymentIntent] = "payment_intent.canceled"
	EventPaymentIntentCreated                 EventType[PaymentIntent] = "payment_intent.created"
	EventPaymentIntentPartiallyFunded         EventType[PaymentIntent] = "payment_intent.partially_funded"
	EventPaymentIntentPaymentFailed           EventType[PaymentIntent] = "payment_intent.payment_failed"
	EventPaymentIntentProcessing              EventType[PaymentIntent] = "payment_intent.processing"
	EventPaymentIntentRequiresAction          EventType[PaymentIntent] = "payment_intent.requires_action"
	EventPaymentIntentSucceeded               EventType[PaymentIntent] = "payment_intent.succeeded"

	EventPaymentMethodAttached             EventType[PaymentMethod] = "payment_method.attached"
	EventPaymentMethodAutomaticallyUpdated EventType[PaymentMethod] = "payment_method.automatically_updated"
	EventPaymentMethodDetached             EventType[PaymentMethod] = "payment_method.detached"
	EventPaymentMethodUpdated              EventType[PaymentMethod] = "payment_method.updated"

	EventPriceCreated EventType[Price] = "price.created"
	EventPriceDeleted EventType[Price] = "price.deleted"
	EventPriceUpdated EventType[Price] = "price.updated"

	EventProductCreated EventType[Product] = "product.created"
	EventProductDeleted EventType[Product] = "product.deleted"
	EventProductUpdated EventType[Product] = "product.updated"

	EventRefundCreated EventType[Refund] = "refund.created"
	EventRefundFailed  EventType[Refund] = "refund.failed"
	EventRefundUpdated EventType[Refund] = "refund.updated"

	EventSetupIntentCanceled       EventType[SetupIntent] = "setup_intent.canceled"
	EventSetupIntentCreated        EventType[SetupIntent] = "setup_intent.created"
	EventSetupIntentRequiresAction EventType[SetupIntent] = "setup_intent.requires_action"
	EventSetupIntentSetupFailed    EventType[SetupIntent] = "setup_intent.setup_failed"
	EventSetupIntentSucceeded      EventType[SetupIntent] = "setup_intent.succeeded"

	EventSubscriptionCreated              EventType[Subscription] = "customer.subscription.created"
	EventSubscriptionDeleted              EventType[Subscription] = "customer.subscription.deleted"
	EventSubscriptionPaused               EventType[Subscription] = "customer.subscription.paused"
	EventSubscriptionPendingUpdateApplied EventType[Subscription] = "customer.subscription.pending_update_applied"
	EventSubscriptionPendingUpdateExpired EventType[Subscription] = "customer.subscription.pending_update_expired"
	EventSubscriptionResumed              EventType[Subscription] = "customer.subscription.resumed"
	EventSubscriptionTrialWillEnd         EventType[Subscription] = "customer.subscription.trial_will_end"
	EventSubscriptionUpdated              EventType[Subscription] = "customer.subscription.updated"
)
