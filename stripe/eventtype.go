package stripe

// PaymentIntentSucceeded etc.
const PaymentIntentSucceeded EventType[PaymentIntent] = "payment_intent.succeeded"
