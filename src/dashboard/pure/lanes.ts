/** Each generation has a lane: a colour, and a place in the stack of the chart. Those that serve beside each other are neighbours in number, and never share one. Pure. */
export const LANES = 4;

export const laneOf = (generation: number): number => ((generation % LANES) + LANES) % LANES;
