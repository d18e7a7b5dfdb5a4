package kernel

// StateSize returns the length of a stream's state for EMAStep.
func (c *EMACoefficients) StateSize() int { return c.shape.StateSize() }

// StateSize returns the length of a stream's state for EMAStep.
func (s EMAShape) StateSize() int { return ceilDiv(s.Channels, emaGroup) * s.States * emaGroup }

// StateAt returns where in a stream's state an average of a channel is, if there is no
// truncation, for which averages change their places.
func (s EMAShape) StateAt(channel, state int) int {
	return (channel/emaGroup*s.States+state)*emaGroup + channel%emaGroup
}
