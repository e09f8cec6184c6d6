/** The filter of the audit log as it stands in the address. */

export interface AuditSearch {
  readonly account?: string;
  readonly election?: string;
}

export function readAuditSearch({ account, election }: Record<string, unknown>): AuditSearch {
  return {
    ...(typeof account === 'string' && account !== '' && { account }),
    ...(typeof election === 'string' && election !== '' && { election }),
  };
}
