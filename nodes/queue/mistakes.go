package queue

// The known mistakes of mirrors, promotion and what consumers share.
const (
	promoteWithoutFence  = "promote-without-fence"
	healDiscardsMinority = "heal-discards-minority"
	keepsBeyondDeclared  = "keep-beyond-declared"
	acceptsLatePromotion = "accept-late-promotion"
	copyGoesOn           = "mirror-skips"
	geoDedup             = "geo-dedup-ignores-producer"
	dedupNotCopied       = "dedup-not-copied"
	sinkNotIdempotent    = "sink-not-idempotent"
)

const tellTicks = 20 // the directory is told to all anew
