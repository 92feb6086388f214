package pricing

import "errors"

// addGPUs reads how many GPUs an hour's price is for: a share of one, where a
// server works on several calls at once.
func (p *period) addGPUs(text string) (err error) {
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	p.gpus, err = parseFraction(text)
	return err
}

// chargeGPUs makes the price of an hour that of all GPUs.
func (p *period) chargeGPUs() error {
	if p.gpus == (ratio{}) {
		return nil
	}
	if !p.fees.lists(feeGPUHour) {
		return errors.New("gpus: there is no per_gpu_hour")
	}
	w := wide{}
	w.addProduct(uint64(p.fees.v[feeGPUHour]), uint64(p.gpus.num))
	v, ok := w.over(uint64(p.gpus.den))
	if !ok {
		return errors.New("gpus: too many")
	}
	p.fees.v[feeGPUHour] = v
	return nil
}
