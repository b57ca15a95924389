// Rendered anew for each request.
export const dynamic = 'force-dynamic';

export default function Page() {
  return <main>{`pid ${process.pid}`}</main>;
}
