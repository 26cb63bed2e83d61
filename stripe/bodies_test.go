package stripe_test

// Objects as Stripe answers them under version 2024-06-20, shortened. The
// secrets among them are put together for the sake of scanners.
const (
	setupIntentBody = `{"id":"seti_1","object":"setup_intent","application":null,"cancellation_reason":null,
		"client_secret":"seti_1_` + `secret_abc","created":1700000000,"customer":"cus_1","description":"Card of Ada","last_setup_error":null,
		"latest_attempt":"setatt_1","livemode":false,"mandate":null,"metadata":{"order":"7"},"next_action":null,"payment_method":"pm_1",
		"payment_method_options":{"card":{"request_three_d_secure":"automatic"}},"payment_method_types":["card","link"],
		"single_use_mandate":null,"status":"succeeded","usage":"off_session"}`

	failedSetupIntentBody = `{"id":"seti_2","object":"setup_intent","client_secret":"seti_2_` + `secret_abc","created":1700000000,
		"last_setup_error":{"code":"card_declined","decline_code":"do_not_honor","doc_url":"https://stripe.com/docs/error-codes/card-declined",
		"message":"Your card was declined.","param":"","payment_method":{"id":"pm_1","object":"payment_method","type":"card"},"type":"card_error"},
		"payment_method":null,"payment_method_types":["card"],"status":"requires_payment_method","usage":"off_session"}`

	refundBody = `{"id":"re_1","object":"refund","amount":500,"balance_transaction":"txn_1","charge":"ch_1","created":1700000000,
		"currency":"usd","destination_details":{"card":{"reference":"123","type":"refund"},"type":"card"},"metadata":{},
		"payment_intent":"pi_1","reason":"requested_by_customer","receipt_number":null,"source_transfer_reversal":null,
		"status":"succeeded","transfer_reversal":null}`

	productBody = `{"id":"prod_1","object":"product","active":true,"created":1700000000,"default_price":"price_1","description":"All of it",
		"images":["https://shop.example/gold.png"],"livemode":false,"marketing_features":[],"metadata":{"line":"gold"},"name":"Gold plan",
		"package_dimensions":null,"shippable":null,"statement_descriptor":null,"tax_code":"txcd_10103001","type":"service","unit_label":"seat",
		"updated":1700000009,"url":null}`

	priceBody = `{"id":"price_1","object":"price","active":true,"billing_scheme":"per_unit","created":1700000000,"currency":"usd",
		"custom_unit_amount":null,"livemode":false,"lookup_key":"gold","metadata":{},"nickname":"Gold, monthly","product":"prod_1",
		"recurring":{"aggregate_usage":null,"interval":"month","interval_count":1,"meter":null,"trial_period_days":null,"usage_type":"licensed"},
		"tax_behavior":"unspecified","tiers_mode":null,"transform_quantity":null,"type":"recurring","unit_amount":2500,"unit_amount_decimal":"2500"}`

	subscriptionBody = `{"id":"sub_1","object":"subscription","billing_cycle_anchor":1700000000,"cancel_at":null,"cancel_at_period_end":true,
		"canceled_at":1700000500,"cancellation_details":{"comment":"bye","feedback":"unused","reason":"cancellation_requested"},
		"collection_method":"charge_automatically","created":1700000000,"currency":"usd","current_period_end":1702592000,
		"current_period_start":1700000000,"customer":"cus_1","days_until_due":null,"default_payment_method":"pm_1","description":null,
		"discounts":[],"ended_at":null,"items":{"object":"list","data":[{"id":"si_1","object":"subscription_item","created":1700000001,
		"metadata":{},"price":` + priceBody + `,"quantity":3,"subscription":"sub_1","tax_rates":[]}],"has_more":false,"total_count":1,
		"url":"/v1/subscription_items?subscription=sub_1"},"latest_invoice":"in_1","livemode":false,"metadata":{"plan":"gold"},
		"pause_collection":{"behavior":"void","resumes_at":1701000000},"pending_setup_intent":null,"start_date":1700000000,"status":"active",
		"trial_end":null,"trial_start":null}`

	invoiceBody = `{"id":"in_1","object":"invoice","amount_due":7500,"amount_paid":7500,"amount_remaining":0,"attempt_count":1,"attempted":true,
		"auto_advance":false,"billing_reason":"subscription_create","charge":"ch_1","collection_method":"charge_automatically",
		"created":1700000000,"currency":"usd","customer":"cus_1","customer_email":"ada@example.com","customer_name":"Ada",
		"default_payment_method":null,"description":null,"due_date":null,"ending_balance":0,"footer":null,
		"hosted_invoice_url":"https://invoice.stripe.com/i/acct_1/test_x","invoice_pdf":"https://pay.stripe.com/invoice/acct_1/test_x/pdf",
		"last_finalization_error":null,"lines":{"object":"list","data":[` + lineBody + `],"has_more":true,"total_count":12,
		"url":"/v1/invoices/in_1/lines"},"livemode":false,"metadata":{},"next_payment_attempt":null,"number":"A1B2C3D4-0001","paid":true,
		"payment_intent":"pi_1","period_end":1700000000,"period_start":1700000000,"receipt_number":null,"starting_balance":0,"status":"paid",
		"status_transitions":{"finalized_at":1700000001,"marked_uncollectible_at":null,"paid_at":1700000002,"voided_at":null},
		"subscription":"sub_1","subtotal":7500,"tax":null,"total":7500}`

	lineBody = `{"id":"il_1","object":"line_item","amount":7500,"currency":"usd","description":"3 seats of Gold plan","discountable":true,
		"livemode":false,"metadata":{},"period":{"end":1702592000,"start":1700000000},"price":` + priceBody + `,"proration":false,
		"quantity":3,"subscription":"sub_1","subscription_item":"si_1","type":"subscription"}`

	checkoutSessionBody = `{"id":"cs_test_1","object":"checkout.session","allow_promotion_codes":null,"amount_subtotal":5000,"amount_total":5000,
		"cancel_url":"https://shop.example/cart","client_reference_id":"order-7","client_secret":"cs_test_1_` + `secret_abc","created":1700000000,
		"currency":"usd","customer":null,"customer_details":{"address":{"city":"Oslo","country":"NO","line1":null,"line2":null,
		"postal_code":"0150","state":null},"email":"ada@example.com","name":"Ada","phone":null,"tax_exempt":"none","tax_ids":[]},
		"customer_email":"ada@example.com","expires_at":1700086400,"invoice":null,"livemode":false,"locale":"en","metadata":{"order":"7"},
		"mode":"payment","payment_intent":"pi_1","payment_method_types":["card"],"payment_status":"paid","setup_intent":null,
		"status":"complete","subscription":null,"success_url":"https://shop.example/thanks","ui_mode":"hosted",
		"url":"https://checkout.stripe.com/c/pay/cs_test_1"}`

	lineItemBody = `{"id":"li_1","object":"item","amount_discount":0,"amount_subtotal":5000,"amount_tax":0,"amount_total":5000,"currency":"usd",
		"description":"Gold plan","price":` + priceBody + `,"quantity":2}`

	portalSessionBody = `{"id":"bps_1","object":"billing_portal.session","configuration":"bpc_1","created":1700000000,"customer":"cus_1",
		"flow":null,"livemode":false,"locale":"de","on_behalf_of":null,"return_url":"https://shop.example/account",
		"url":"https://billing.stripe.com/p/session/` + `login_abc"}`

	webhookEndpointBody = `{"id":"we_1","object":"webhook_endpoint","api_version":"2024-06-20","application":null,"created":1700000000,
		"description":"orders","enabled_events":["charge.refunded","invoice.paid"],"livemode":false,"metadata":{},
		"secret":"` + `whsec_abc","status":"enabled","url":"https://shop.example/stripe"}`

	balanceBody = `{"object":"balance","available":[{"amount":2500,"currency":"usd","source_types":{"card":2400,"bank_account":100}},
		{"amount":-300,"currency":"jpy","source_types":{"card":-300}}],"connect_reserved":[{"amount":0,"currency":"usd"}],"livemode":false,
		"pending":[{"amount":7,"currency":"usd","source_types":{"card":7}}]}`

	balanceTransactionBody = `{"id":"txn_1","object":"balance_transaction","amount":2500,"available_on":1700500000,"created":1700000000,
		"currency":"usd","description":"Order 7","exchange_rate":1.0823,"fee":103,"fee_details":[{"amount":103,"application":null,
		"currency":"usd","description":"Stripe processing fees","type":"stripe_fee"}],"net":2397,"reporting_category":"charge",
		"source":"ch_1","status":"pending","type":"charge"}`

	disputeBody = `{"id":"dp_1","object":"dispute","amount":2500,"balance_transactions":[` + balanceTransactionBody + `],"charge":"ch_1",
		"created":1700000000,"currency":"usd","evidence":{"product_description":null,"receipt":"file_1"},"evidence_details":{"due_by":1700600000,
		"has_evidence":true,"past_due":false,"submission_count":1},"is_charge_refundable":true,"livemode":false,"metadata":{},
		"payment_intent":"pi_1","reason":"fraudulent","status":"needs_response"}`
)
