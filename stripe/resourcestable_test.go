package stripe_test

import (
	"time"

	"github.com/aplomb-go/aplomb/stripe"
)

var (
	at       = time.Unix(1700000000, 0)
	within   = stripe.TimeRange{From: at, Before: at.Add(time.Hour)}
	meta     = map[string]string{"k": "v"}
	expand   = []string{"customer"}
	search   = stripe.SearchParams{Query: "metadata['k']:'v'", Limit: 5, Expand: []string{"data.customer"}}
	listing  = stripe.ListParams{Limit: 5, StartingAfter: "x_1", Expand: []string{"data"}}
	interval = &stripe.IntervalParams{Interval: "month", IntervalCount: 3}
)

// methods are all methods of the resources that no fake knows, with all of their
// parameters.
func methods() []method {
	return append(paymentMethods(), billingMethods()...)
}

func paymentMethods() []method {
	return []method{
		{
			name: "SetupIntents.Create", params: stripe.SetupIntentCreateParams{
				Customer: "cus_1", Description: "d", PaymentMethod: "pm_1", PaymentMethodTypes: []string{"card"},
				AutomaticPaymentMethods: &stripe.AutomaticPaymentMethodsParams{Enabled: true, AllowRedirects: "never"},
				Usage:                   "on_session", Confirm: true, ReturnURL: "https://a.example", Metadata: meta, Expand: expand,
			},
			answer: setupIntentBody, line: "setup intent seti_1 succeeded",
		},
		{name: "SetupIntents.Retrieve", id: "seti_1", answer: setupIntentBody, line: "setup intent seti_1 succeeded"},
		{
			name: "SetupIntents.Update", id: "seti_1", params: stripe.SetupIntentUpdateParams{
				Customer: "cus_1", Description: "d", PaymentMethod: "pm_1", PaymentMethodTypes: []string{"card", "link"}, Metadata: meta, Expand: expand,
			},
			answer: setupIntentBody, line: "setup intent seti_1 succeeded",
		},
		{
			name: "SetupIntents.Confirm", id: "seti_2", params: stripe.SetupIntentConfirmParams{
				PaymentMethod: "pm_1", ReturnURL: "https://a.example", Expand: expand,
			},
			answer: failedSetupIntentBody, line: "setup intent seti_2 requires_payment_method",
		},
		{
			name: "SetupIntents.Cancel", id: "seti_1", params: stripe.SetupIntentCancelParams{CancellationReason: "abandoned", Expand: expand},
			answer: setupIntentBody, line: "setup intent seti_1 succeeded",
		},
		{
			name: "SetupIntents.List", params: stripe.SetupIntentListParams{
				Customer: "cus_1", PaymentMethod: "pm_1", Created: within, Limit: 5, StartingAfter: "seti_9", Expand: expand,
			},
			answer: setupIntentBody, line: "setup intent seti_1 succeeded",
		},

		{
			name: "Refunds.Create", params: stripe.RefundCreateParams{
				PaymentIntent: "pi_1", Charge: "ch_1", Amount: new(int64(500)), Reason: "requested_by_customer", InstructionsEmail: "a@b.example",
				RefundApplicationFee: true, ReverseTransfer: true, Metadata: meta, Expand: []string{"charge"},
			},
			answer: refundBody, line: "refund re_1 5.00 USD succeeded",
		},
		{name: "Refunds.Retrieve", id: "re_1", answer: refundBody, line: "refund re_1 5.00 USD succeeded"},
		{
			name: "Refunds.Update", id: "re_1", params: stripe.RefundUpdateParams{Metadata: meta, Expand: []string{"charge"}},
			answer: refundBody, line: "refund re_1 5.00 USD succeeded",
		},
		{name: "Refunds.Cancel", id: "re_1", answer: refundBody, line: "refund re_1 5.00 USD succeeded"},
		{
			name: "Refunds.List", params: stripe.RefundListParams{
				Charge: "ch_1", PaymentIntent: "pi_1", Created: within, Limit: 5, StartingAfter: "re_9", Expand: []string{"data.charge"},
			},
			answer: refundBody, line: "refund re_1 5.00 USD succeeded",
		},

		{
			name: "CheckoutSessions.Create", params: stripe.CheckoutSessionCreateParams{
				Mode: "payment", SuccessURL: "https://a.example/?s={CHECKOUT_SESSION_ID}", CancelURL: "https://a.example/back",
				LineItems: []stripe.CheckoutLineItemParams{{
					Price: "price_1", Quantity: 2, PriceData: &stripe.CheckoutPriceDataParams{
						Currency: "usd", UnitAmount: new(int64(2500)), UnitAmountDecimal: "0.5", Product: "prod_1",
						ProductData: &stripe.CheckoutProductParams{
							Name: "n", Description: "d", Images: []string{"https://a.example/i.png"}, TaxCode: "txcd_1", Metadata: meta,
						},
						Recurring: interval, TaxBehavior: "inclusive",
					},
				}},
				UIMode: "embedded_page", ReturnURL: "https://a.example/thanks", Customer: "cus_1", CustomerEmail: "a@b.example",
				CustomerCreation: "always", ClientReferenceID: "order-7", Currency: "usd", PaymentMethodTypes: []string{"card"},
				PaymentMethodCollection: "if_required", Discounts: []stripe.DiscountParams{{Coupon: "co_1", PromotionCode: "promo_1"}},
				AllowPromotionCodes: new(true), BillingAddressCollection: "required", SubmitType: "pay", Locale: "de",
				PaymentIntentData: &stripe.CheckoutPaymentIntentParams{
					CaptureMethod: "manual", SetupFutureUsage: "off_session", Description: "d", ReceiptEmail: "a@b.example",
					StatementDescriptor: "s", Metadata: meta,
				},
				SubscriptionData: &stripe.CheckoutSubscriptionParams{
					TrialPeriodDays: 7, TrialEnd: at, BillingCycleAnchor: at, ProrationBehavior: "none", Description: "d", Metadata: meta,
				},
				SetupIntentData: &stripe.CheckoutSetupIntentParams{Description: "d", Metadata: meta},
				ExpiresAt:       at, Metadata: meta, Expand: expand,
			},
			answer: checkoutSessionBody, line: "checkout session cs_test_1 50.00 USD complete",
		},
		{name: "CheckoutSessions.Retrieve", id: "cs_test_1", answer: checkoutSessionBody, line: "checkout session cs_test_1 50.00 USD complete"},
		{
			name: "CheckoutSessions.Update", id: "cs_test_1", params: stripe.CheckoutSessionUpdateParams{Metadata: meta, Expand: expand},
			answer: checkoutSessionBody, line: "checkout session cs_test_1 50.00 USD complete",
		},
		{name: "CheckoutSessions.Expire", id: "cs_test_1", answer: checkoutSessionBody, line: "checkout session cs_test_1 50.00 USD complete"},
		{
			name: "CheckoutSessions.List", params: stripe.CheckoutSessionListParams{
				Customer: "cus_1", PaymentIntent: "pi_1", Subscription: "sub_1", Status: "open", Created: within, Limit: 5,
				StartingAfter: "cs_9", Expand: []string{"data.customer"},
			},
			answer: checkoutSessionBody, line: "checkout session cs_test_1 50.00 USD complete",
		},
		{name: "CheckoutSessions.LineItems", id: "cs_test_1", params: listing, answer: lineItemBody, line: "line item li_1 50.00 USD Gold plan"},

		{
			name: "BillingPortalSessions.Create", params: stripe.BillingPortalSessionCreateParams{
				Customer: "cus_1", ReturnURL: "https://a.example", Configuration: "bpc_1", Locale: "de", Expand: []string{"configuration"},
			},
			answer: portalSessionBody, line: "billing portal session bps_1 of cus_1",
		},

		{name: "Balance.Retrieve", answer: balanceBody, line: "balance 25.00 USD -300 JPY"},
		{
			name: "BalanceTransactions.Retrieve", id: "txn_1",
			answer: balanceTransactionBody, line: "balance transaction txn_1 25.00 USD pending",
		},
		{
			name: "BalanceTransactions.List", params: stripe.BalanceTransactionListParams{
				Payout: "po_1", Source: "ch_1", Type: "charge", Currency: "usd", Created: within, Limit: 5, StartingAfter: "txn_9",
				Expand: []string{"data.source"},
			},
			answer: balanceTransactionBody, line: "balance transaction txn_1 25.00 USD pending",
		},

		{name: "Disputes.Retrieve", id: "dp_1", answer: disputeBody, line: "dispute dp_1 25.00 USD needs_response"},
		{
			name: "Disputes.Update", id: "dp_1", params: stripe.DisputeUpdateParams{
				Evidence: &stripe.DisputeEvidenceParams{
					ProductDescription: "t1", CustomerName: "t2", CustomerEmailAddress: "t3", CustomerPurchaseIP: "t4", BillingAddress: "t5",
					AccessActivityLog: "t6", ServiceDate: "t7", ShippingDate: "t8", ShippingAddress: "t9", ShippingCarrier: "t10",
					ShippingTrackingNumber: "t11", CancellationPolicyDisclosure: "t12", CancellationRebuttal: "t13",
					RefundPolicyDisclosure: "t14", RefundRefusalExplanation: "t15", DuplicateChargeID: "ch_2",
					DuplicateChargeExplanation: "t16", UncategorizedText: "t17", CancellationPolicy: "file_1", CustomerCommunication: "file_2",
					CustomerSignature: "file_3", DuplicateChargeDocumentation: "file_4", Receipt: "file_5", RefundPolicy: "file_6",
					ServiceDocumentation: "file_7", ShippingDocumentation: "file_8", UncategorizedFile: "file_9",
				},
				Submit: new(false), Metadata: meta, Expand: []string{"charge"},
			},
			answer: disputeBody, line: "dispute dp_1 25.00 USD needs_response",
		},
		{name: "Disputes.Close", id: "dp_1", answer: disputeBody, line: "dispute dp_1 25.00 USD needs_response"},
		{
			name: "Disputes.List", params: stripe.DisputeListParams{
				Charge: "ch_1", PaymentIntent: "pi_1", Created: within, Limit: 5, StartingAfter: "dp_9", Expand: []string{"data.charge"},
			},
			answer: disputeBody, line: "dispute dp_1 25.00 USD needs_response",
		},

		{
			name: "WebhookEndpoints.Create", params: stripe.WebhookEndpointCreateParams{
				URL: "https://a.example/hook", EnabledEvents: []string{"charge.refunded", "invoice.paid"}, APIVersion: stripe.Version,
				Connect: true, Description: "d", Metadata: meta,
			},
			answer: webhookEndpointBody, line: "webhook endpoint we_1 enabled",
		},
		{name: "WebhookEndpoints.Retrieve", id: "we_1", answer: webhookEndpointBody, line: "webhook endpoint we_1 enabled"},
		{
			name: "WebhookEndpoints.Update", id: "we_1", params: stripe.WebhookEndpointUpdateParams{
				URL: "https://a.example/hook", EnabledEvents: []string{"*"}, Disabled: new(false), Description: "d", Metadata: meta,
			},
			answer: webhookEndpointBody, line: "webhook endpoint we_1 enabled",
		},
		{name: "WebhookEndpoints.Delete", id: "we_1", answer: `{"id":"we_1","object":"webhook_endpoint","deleted":true}`, line: "webhook endpoint we_1"},
		{name: "WebhookEndpoints.List", params: listing, answer: webhookEndpointBody, line: "webhook endpoint we_1 enabled"},
	}
}

func billingMethods() []method {
	changes := []stripe.SubscriptionItemUpdateParams{{
		ID: "si_1", Deleted: true, ClearUsage: true, Price: "price_1", Quantity: new(int64), Metadata: meta,
		PriceData: &stripe.PriceDataParams{
			Currency: "usd", Product: "prod_1", UnitAmount: new(int64), UnitAmountDecimal: "0.5", Recurring: interval, TaxBehavior: "inclusive",
		},
	}}
	discounts := []stripe.DiscountParams{{Coupon: "co_1", PromotionCode: "promo_1"}}
	why := &stripe.CancellationDetailsParams{Comment: "c", Feedback: "unused"}
	return []method{
		{
			name: "Products.Create", params: stripe.ProductCreateParams{
				ID: "gold", Name: "Gold plan", Description: "d", Active: new(false), DefaultPriceData: &stripe.DefaultPriceParams{
					Currency: "usd", UnitAmount: new(int64(2500)), UnitAmountDecimal: "0.5", Recurring: interval, TaxBehavior: "exclusive",
				},
				Images: []string{"https://a.example/i.png"}, UnitLabel: "seat", StatementDescriptor: "s", TaxCode: "txcd_1",
				Shippable: new(false), URL: "https://a.example", Metadata: meta, Expand: []string{"default_price"},
			},
			answer: productBody, line: "product prod_1 Gold plan",
		},
		{name: "Products.Retrieve", id: "prod_1", answer: productBody, line: "product prod_1 Gold plan"},
		{
			name: "Products.Update", id: "prod_1", params: stripe.ProductUpdateParams{
				Name: "Gold plan", Description: "d", Active: new(true), DefaultPrice: "price_1", Images: []string{"https://a.example/i.png"},
				UnitLabel: "seat", StatementDescriptor: "s", TaxCode: "txcd_1", Shippable: new(true), URL: "https://a.example",
				Metadata: meta, Expand: []string{"default_price"},
			},
			answer: productBody, line: "product prod_1 Gold plan",
		},
		{name: "Products.Delete", id: "prod_1", answer: `{"id":"prod_1","object":"product","deleted":true}`, line: "product prod_1"},
		{
			name: "Products.List", params: stripe.ProductListParams{
				IDs: []string{"prod_1", "prod_2"}, Active: new(false), Shippable: new(true), URL: "https://a.example", Created: within,
				Limit: 5, StartingAfter: "prod_9", Expand: []string{"data.default_price"},
			},
			answer: productBody, line: "product prod_1 Gold plan",
		},
		{name: "Products.Search", params: search, answer: productBody, line: "product prod_1 Gold plan"},

		{
			name: "Prices.Create", params: stripe.PriceCreateParams{
				Currency: "usd", UnitAmount: new(int64), UnitAmountDecimal: "0.5", Product: "prod_1", ProductData: &stripe.PriceProductParams{
					ID: "gold", Name: "n", Active: new(false), StatementDescriptor: "s", TaxCode: "txcd_1", UnitLabel: "seat", Metadata: meta,
				},
				Recurring: &stripe.Recurring{Interval: "month", IntervalCount: 3, UsageType: "metered", Meter: "mtr_1"},
				Active:    new(false), TaxBehavior: "exclusive", Nickname: "n", LookupKey: "gold", TransferLookupKey: true,
				Metadata: meta, Expand: []string{"product"},
			},
			answer: priceBody, line: "price price_1 25.00 USD month",
		},
		{name: "Prices.Retrieve", id: "price_1", answer: priceBody, line: "price price_1 25.00 USD month"},
		{
			name: "Prices.Update", id: "price_1", params: stripe.PriceUpdateParams{
				Active: new(false), TaxBehavior: "exclusive", Nickname: "n", LookupKey: "gold", TransferLookupKey: true, Metadata: meta,
				Expand: []string{"product"},
			},
			answer: priceBody, line: "price price_1 25.00 USD month",
		},
		{
			name: "Prices.List", params: stripe.PriceListParams{
				Active: new(true), Currency: "usd", Product: "prod_1", Type: "recurring", LookupKeys: []string{"gold"}, Created: within,
				Limit: 5, StartingAfter: "price_9", Expand: []string{"data.product"},
			},
			answer: priceBody, line: "price price_1 25.00 USD month",
		},
		{name: "Prices.Search", params: search, answer: priceBody, line: "price price_1 25.00 USD month"},

		{
			name: "Subscriptions.Create", params: stripe.SubscriptionCreateParams{
				Customer: "cus_1", Items: []stripe.SubscriptionItemParams{{
					Price: "price_1", PriceData: changes[0].PriceData, Quantity: new(int64(3)), Metadata: meta,
				}},
				Currency: "usd", PaymentBehavior: "default_incomplete", DefaultPaymentMethod: "pm_1", CollectionMethod: "send_invoice",
				DaysUntilDue: 14, TrialPeriodDays: 7, TrialEnd: at, BillingCycleAnchor: at, ProrationBehavior: "none",
				CancelAtPeriodEnd: new(false), CancelAt: at, Discounts: discounts, OffSession: true, Description: "d", Metadata: meta, Expand: expand,
			},
			answer: subscriptionBody, line: "subscription sub_1 active",
		},
		{name: "Subscriptions.Retrieve", id: "sub_1", answer: subscriptionBody, line: "subscription sub_1 active"},
		{
			name: "Subscriptions.Update", id: "sub_1", params: stripe.SubscriptionUpdateParams{
				Items: changes, ProrationBehavior: "always_invoice", ProrationDate: at, PaymentBehavior: "pending_if_incomplete",
				DefaultPaymentMethod: "pm_1", CollectionMethod: "send_invoice", DaysUntilDue: 14, TrialEnd: at, BillingCycleAnchor: "now",
				CancelAtPeriodEnd: new(false), CancelAt: at, CancellationDetails: why,
				PauseCollection: &stripe.PauseCollection{Behavior: "void", ResumesAt: at}, Discounts: discounts, OffSession: true,
				Description: "d", Metadata: meta, Expand: expand,
			},
			answer: subscriptionBody, line: "subscription sub_1 active",
		},
		{
			name: "Subscriptions.Cancel", id: "sub_1", params: stripe.SubscriptionCancelParams{
				Prorate: true, InvoiceNow: true, CancellationDetails: why, Expand: expand,
			},
			answer: subscriptionBody, line: "subscription sub_1 active",
		},
		{
			name: "Subscriptions.Resume", id: "sub_1", params: stripe.SubscriptionResumeParams{
				BillingCycleAnchor: "unchanged", ProrationBehavior: "none", ProrationDate: at, Expand: expand,
			},
			answer: subscriptionBody, line: "subscription sub_1 active",
		},
		{
			name: "Subscriptions.List", params: stripe.SubscriptionListParams{
				Customer: "cus_1", Price: "price_1", Status: "all", CollectionMethod: "send_invoice", CurrentPeriodStart: within,
				CurrentPeriodEnd: within, Created: within, Limit: 5, StartingAfter: "sub_9", Expand: []string{"data.customer"},
			},
			answer: subscriptionBody, line: "subscription sub_1 active",
		},
		{name: "Subscriptions.Search", params: search, answer: subscriptionBody, line: "subscription sub_1 active"},

		{
			name: "Invoices.Create", params: stripe.InvoiceCreateParams{
				Customer: "cus_1", Subscription: "sub_1", Currency: "usd", PendingInvoiceItemsBehavior: "include", AutoAdvance: new(false),
				CollectionMethod: "send_invoice", DaysUntilDue: 14, DueDate: at, DefaultPaymentMethod: "pm_1", Discounts: discounts,
				Description: "d", Footer: "f", StatementDescriptor: "s", Metadata: meta, Expand: expand,
			},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{
			name: "Invoices.CreatePreview", params: stripe.InvoiceCreatePreviewParams{
				Customer: "cus_1", Subscription: "sub_1", Currency: "usd", SubscriptionDetails: &stripe.InvoicePreviewSubscriptionParams{
					Items: changes, ProrationBehavior: "none", ProrationDate: at, StartDate: at, TrialEnd: at, CancelNow: true,
					CancelAtPeriodEnd: new(false), CancelAt: at,
				},
				Discounts: discounts, Expand: expand,
			},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{name: "Invoices.Retrieve", id: "in_1", answer: invoiceBody, line: "invoice in_1 75.00 USD paid"},
		{
			name: "Invoices.Update", id: "in_1", params: stripe.InvoiceUpdateParams{
				AutoAdvance: new(true), CollectionMethod: "send_invoice", DaysUntilDue: 14, DueDate: at, DefaultPaymentMethod: "pm_1",
				Discounts: discounts, Description: "d", Footer: "f", StatementDescriptor: "s", Metadata: meta, Expand: expand,
			},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{name: "Invoices.Delete", id: "in_1", answer: `{"id":"in_1","object":"invoice","deleted":true}`, line: "invoice in_1"},
		{
			name: "Invoices.Finalize", id: "in_1", params: stripe.InvoiceFinalizeParams{AutoAdvance: new(false), Expand: expand},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{
			name: "Invoices.Pay", id: "in_1", params: stripe.InvoicePayParams{
				PaymentMethod: "pm_1", Source: "src_1", OffSession: new(false), PaidOutOfBand: true, Forgive: true, Expand: expand,
			},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{name: "Invoices.Send", id: "in_1", answer: invoiceBody, line: "invoice in_1 75.00 USD paid"},
		{name: "Invoices.Void", id: "in_1", answer: invoiceBody, line: "invoice in_1 75.00 USD paid"},
		{name: "Invoices.MarkUncollectible", id: "in_1", answer: invoiceBody, line: "invoice in_1 75.00 USD paid"},
		{
			name: "Invoices.List", params: stripe.InvoiceListParams{
				Customer: "cus_1", Subscription: "sub_1", Status: "open", CollectionMethod: "send_invoice", DueDate: within, Created: within,
				Limit: 5, StartingAfter: "in_9", Expand: []string{"data.customer"},
			},
			answer: invoiceBody, line: "invoice in_1 75.00 USD paid",
		},
		{name: "Invoices.Search", params: search, answer: invoiceBody, line: "invoice in_1 75.00 USD paid"},
		{name: "Invoices.Lines", id: "in_1", params: listing, answer: lineBody, line: "invoice line il_1 75.00 USD 3 seats of Gold plan"},
	}
}
