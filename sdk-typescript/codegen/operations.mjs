// Which method stands for which operationId, for programs: the conformance driver and tests.

export function operationsOf(api) {
  const entries = api.namespaces.flatMap((namespace) =>
    namespace.operations.map((one) => [
      one.id,
      {
        namespace: namespace.name,
        method: one.method,
        path: one.pathParams.map((each) => each.name),
        takes: one.body ? "body" : one.hasQuery ? "query" : "nothing",
        isList: one.item !== undefined,
      },
    ]),
  );
  return `export interface OperationMethod {
  namespace: string;
  method: string;
  /** Path parameters, in the order of the method's arguments. */
  path: string[];
  /** What the argument after them is. */
  takes: "body" | "query" | "nothing";
  isList: boolean;
}

export const operations: Record<string, OperationMethod> = ${JSON.stringify(Object.fromEntries(entries), null, 2)};
`;
}
