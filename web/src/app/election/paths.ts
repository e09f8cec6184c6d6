/** The booth of this election; the code is typed there or comes in the link's fragment. */
export function boothPath(id: string): string {
  return `/booth.html#e=${id}`;
}
