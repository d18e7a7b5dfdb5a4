package kernel

// StateSize returns the length of a stream's state for EMAStep.
func (c *EMACoefficients) StateSize() int { return c.groups * c.shape.States * emaGroup }
