package queue

// The known mistakes of mirrors, promotion and what consumers share.
const (
	acceptsLatePromotion = "accept-late-promotion"
	sinkNotIdempotent    = "sink-not-idempotent"
)

const tellTicks = 20 // the directory is told to all anew
